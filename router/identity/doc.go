// Package identity says who a request comes from and what they may do. The three
// ports bring what a request has to show for itself (Credentials), and Access
// answers with a Caller or a refusal, before anything of the body is read.
//
// # Callers
//
// A caller proves who they are by an API key, by a token of an issuer (JSON Web
// Token, package token) or by a client certificate. Keys and certificates are in the
// keys file, which is read again when its content changes.
//
// An API key is hp_<id>_<secret>. The secret is 256 random bits, so that it cannot be
// guessed, and the file holds its SHA-256 alone. A slow hash is for passwords that
// people think of: here it would only make the gateway slow. The id finds the entry,
// and the hashes are compared in constant time.
//
// # What each may do
//
// Endpoints is the one table of what each endpoint needs. What is not in it needs
// Admin. A caller whose quota is used up is refused until it has filled again; the
// quota is that of the caller, whatever key they use, and of this process.
//
// # What is kept
//
// Keys, tokens and header values are in no message, no error and no log. A caller
// lives as long as the content of the file that it is in; its quota goes over to the
// caller of the same name in the next one.
package identity
