package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

// pair is a certificate and its key, in PEM.
type pair struct{ cert, key string }

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	template := template(name)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	a := &authority{t: t, cert: template}
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = encode("CERTIFICATE", der)
	return a
}

func (a *authority) issue(name string) pair {
	a.t.Helper()
	template := template(name)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	template.DNSNames = []string{name}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair{encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)}
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// newTLSServer serves TLS; `clients` is the rest of its tls section.
func newTLSServer(t *testing.T, certificate pair, clientCA *authority, clients, serverKeys string) *server {
	t.Helper()
	folder := t.TempDir()
	install(t, folder, certificate)
	if clientCA != nil {
		if err := os.WriteFile(folder+"/ca.crt", []byte(clientCA.pem), 0o600); err != nil {
			t.Fatal(err)
		}
		clients = fmt.Sprintf(`, clientCa: "%s/ca.crt"%s`, folder, clients)
	}
	s := newPolicyServer(t, fmt.Sprintf(`, tls: {cert: "%s/tls.crt", key: "%s/tls.key"%s}`, folder, folder, clients), serverKeys)
	s.tls = folder
	return s
}

// install replaces certificate and key, each at once, as a mounted Secret is replaced.
func install(t *testing.T, folder string, certificate pair) {
	t.Helper()
	for name, content := range map[string]string{"tls.crt": certificate.cert, "tls.key": certificate.key} {
		if err := os.WriteFile(folder+"/.new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(folder+"/.new", folder+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
}

// authenticated adds what a TriggerAuthentication would.
func authenticated(config *scalersconfig.ScalerConfig, ca *authority, client *pair) *scalersconfig.ScalerConfig {
	config.AuthParams["caCert"] = ca.pem
	if client != nil {
		config.AuthParams["tlsClientCert"] = client.cert
		config.AuthParams["tlsClientKey"] = client.key
	}
	return config
}

func wantRefused(t *testing.T, config *scalersconfig.ScalerConfig, why string) {
	t.Helper()
	if got, err := ask(t, newScaler(t, config), "s0-stoker-always"); status.Code(err) != codes.Unavailable {
		t.Errorf("%s: want Unavailable, got %v, %v", why, got, err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	s := newTLSServer(t, ca.issue("stoker"), nil, "", "")
	awaitAnswer(t, newScaler(t, authenticated(s.policy("always"), ca, nil)), "s0-stoker-always", 4)
	wantRefused(t, s.policy("always"), "plaintext")
	wantRefused(t, authenticated(s.policy("always"), newAuthority(t, "other"), nil), "an unknown authority")
	unsafe := s.policy("always")
	unsafe.TriggerMetadata["enableTLS"] = "true"
	unsafe.TriggerMetadata["unsafeSsl"] = "true"
	awaitAnswer(t, newScaler(t, unsafe), "s0-stoker-always", 4)
}

func TestClientCertificateRequired(t *testing.T) {
	t.Parallel()
	ca, clients := newAuthority(t, "ca"), newAuthority(t, "clients")
	s := newTLSServer(t, ca.issue("stoker"), clients, ", requireClientCert: true", "")
	keda, stranger := clients.issue("keda-operator"), ca.issue("stranger")
	awaitAnswer(t, newScaler(t, authenticated(s.policy("always"), ca, &keda)), "s0-stoker-always", 4)
	wantRefused(t, authenticated(s.policy("always"), ca, nil), "no client certificate")
	wantRefused(t, authenticated(s.policy("always"), ca, &stranger), "a stranger's certificate")
}

// Optional: whoever shows a certificate may bring signals of its own, others only name policies.
func TestClientCertificateOptional(t *testing.T) {
	t.Parallel()
	ca, clients := newAuthority(t, "ca"), newAuthority(t, "clients")
	s := newTLSServer(t, ca.issue("stoker"), clients, "", "  inline: {enabled: true, trust: mtls}")
	keda := clients.issue("keda-operator")
	awaitAnswer(t, newScaler(t, authenticated(s.policy("always"), ca, nil)), "s0-stoker-always", 4)
	awaitAnswer(t, newScaler(t, authenticated(s.policy("always"), ca, &keda)), "s0-stoker-always", 4)

	inline := func() *scalersconfig.ScalerConfig {
		return s.trigger(map[string]string{"type": "cron", "timezone": "UTC", "start": "0 0 * * *",
			"end": "59 23 * * *", "desiredReplicas": "3"})
	}
	trusted := newScaler(t, authenticated(inline(), ca, &keda))
	specs := trusted.GetMetricSpecForScaling(t.Context())
	if len(specs) != 1 {
		t.Fatalf("want one spec for an inline trigger, got %v", specs)
	}
	metric := specs[0].External.Metric.Name
	eventually(t, "the inline trigger is answered", func() error {
		_, err := ask(t, trusted, metric)
		return err
	})
	anonymous := newScaler(t, authenticated(inline(), ca, nil))
	if _, err := ask(t, anonymous, metric); status.Code(err) != codes.PermissionDenied {
		t.Errorf("want PermissionDenied without a client certificate, got %v", err)
	}
}

func TestCertificateRotation(t *testing.T) {
	t.Parallel()
	old, renewed := newAuthority(t, "old"), newAuthority(t, "renewed")
	s := newTLSServer(t, old.issue("stoker"), nil, "", "")
	before := newScaler(t, authenticated(s.policy("always"), old, nil))
	awaitAnswer(t, before, "s0-stoker-always", 4)

	certificate := renewed.issue("stoker")
	install(t, s.tls, certificate)
	awaitAnswer(t, newScaler(t, authenticated(s.policy("always"), renewed, nil)), "s0-stoker-always", 4)
	awaitAnswer(t, before, "s0-stoker-always", 4) // on its old connection

	// Half a rotation, a key that does not fit, leaves the good pair in use.
	certificate.key = old.issue("stoker").key
	install(t, s.tls, certificate)
	eventually(t, "the log tells of the misfit", func() error {
		config := authenticated(s.policy("always"), renewed, nil)
		config.AuthParams["caCert"] += old.pem // another pool key, and so a connection of its own
		scaler, err := scalers.NewExternalScaler(config)
		if err != nil {
			t.Fatal(err)
		}
		defer scaler.Close(t.Context())
		if _, err := ask(t, scaler, "s0-stoker-always"); err != nil {
			t.Fatal(err)
		}
		if !s.logged("rotated certificate is unusable") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
}
