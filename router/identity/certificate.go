package identity

import "crypto/x509"

// CertificateNames are the names in a client certificate, as the keys file has them.
// chains are those that were verified: without any the certificate proves nothing.
func CertificateNames(chains [][]*x509.Certificate) []string {
	if len(chains) == 0 || len(chains[0]) == 0 {
		return nil
	}
	leaf := chains[0][0]
	var names []string
	for _, name := range leaf.DNSNames {
		names = append(names, "dns:"+name)
	}
	for _, uri := range leaf.URIs {
		names = append(names, "uri:"+uri.String())
	}
	for _, address := range leaf.EmailAddresses {
		names = append(names, "email:"+address)
	}
	if subject := leaf.Subject.String(); subject != "" {
		names = append(names, "subject:"+subject)
	}
	return names
}
