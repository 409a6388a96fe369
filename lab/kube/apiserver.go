// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// auditPolicy is Metadata for everything and nothing deeper: who did what to
// which object, never a body, because bodies hold Secrets.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

const auditPolicyFile = "audit-policy.yaml"

// apiserverCommand is kube-apiserver's own command with the lab's flags. Its
// context ends with SIGTERM or SIGINT, and with it the server drains and stops.
func apiserverCommand(o options, etcd string, c credentials) *cobra.Command {
	command := app.NewAPIServerCommand()
	command.SetArgs([]string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", o.port),
		"--tls-cert-file=" + o.certFile,
		"--tls-private-key-file=" + o.keyFile,
		"--etcd-servers=" + etcd,
		"--service-cluster-ip-range=10.96.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + c.signingKeyFile,
		"--service-account-key-file=" + c.signingKeyFile,
		"--token-auth-file=" + c.tokenFile,
		"--authorization-mode=RBAC",
		// Pods of the lab run without a service account of their own, and no
		// controller here would make the default one.
		"--disable-admission-plugins=ServiceAccount",
		// There is one server on loopback: nothing to publish as an endpoint.
		"--endpoint-reconciler-type=none",
		"--audit-policy-file=" + auditPolicyFile,
		"--audit-log-path=" + o.auditLog,
		"--audit-log-format=json",
		"--profiling=false",
		"--shutdown-delay-duration=0s",
	})
	return command
}

func writeAuditPolicy() error {
	return os.WriteFile(auditPolicyFile, []byte(auditPolicy), 0o600)
}
