// A storage that speaks S3, in memory, for tests: TLS only, one bucket, one access key.
//
// Usage: s3 IP BUCKET ACCESSKEY
//
// Prints one JSON line with the port it listens on and the certificate that it made for itself.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func main() {
	ip, bucket, accessKey := os.Args[1], os.Args[2], os.Args[3]
	backend := s3mem.New()
	must(backend.CreateBucket(bucket))
	storage := gofakes3.New(backend).Server()
	// gofakes3 takes any key; a test must notice when none, or the wrong one, is sent.
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+accessKey+"/") {
			http.Error(w, "<Error><Code>InvalidAccessKeyId</Code></Error>", http.StatusForbidden)
			return
		}
		storage.ServeHTTP(w, r)
	})
	certificate := certificateFor(net.ParseIP(ip))
	listener, err := tls.Listen("tcp", net.JoinHostPort(ip, "0"), &tls.Config{
		Certificates: []tls.Certificate{certificate},
	})
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"port":        listener.Addr().(*net.TCPAddr).Port,
		"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})),
	}))
	// Whoever only knocks is not worth a line.
	quiet := log.New(io.Discard, "", 0)
	must((&http.Server{Handler: guarded, ErrorLog: quiet}).Serve(listener))
}

func certificateFor(ip net.IP) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{ip},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
