// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
)

// credentials are made anew at each start and live in the data folder only.
type credentials struct {
	signingKeyFile  string // PEM, signs and verifies service-account tokens
	tokenFile       string // the lab's tokens and the controllers' own
	controllerToken string
}

// prepareCredentials writes the signing key, the audit policy and a token file
// that holds the lab's lines and one more: the controllers' own account.
func prepareCredentials(labTokens string) (credentials, error) {
	c := credentials{signingKeyFile: "service-account.key", tokenFile: "tokens.csv"}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return c, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(c.signingKeyFile, block, 0o600); err != nil {
		return c, err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return c, err
	}
	c.controllerToken = hex.EncodeToString(random)
	lines, err := os.ReadFile(labTokens)
	if err != nil {
		return c, err
	}
	lines = append(bytes.TrimRight(lines, "\n"), '\n')
	lines = fmt.Appendf(lines, "%s,%s,%s,%q\n", c.controllerToken, controllerUser, controllerUser, "system:masters")
	if err := os.WriteFile(c.tokenFile, lines, 0o600); err != nil {
		return c, err
	}
	return c, writeAuditPolicy()
}
