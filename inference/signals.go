//go:build cgo

package inference

/*
#include <signal.h>
#include <stddef.h>

// CUDA's libraries install signal handlers of their own without SA_ONSTACK, and
// the Go runtime ends the process when such a handler runs on a goroutine's
// small stack. Adding the flag is all that is needed.
static void restore_signal_stacks(void) {
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction sa;
		if (sigaction(sig, NULL, &sa) != 0) continue;
		if (sa.sa_handler == SIG_DFL || sa.sa_handler == SIG_IGN) continue;
		if (sa.sa_flags & SA_ONSTACK) continue;
		sa.sa_flags |= SA_ONSTACK;
		sigaction(sig, &sa, NULL);
	}
}
*/
import "C"

func restoreSignalStacks() { C.restore_signal_stacks() }
