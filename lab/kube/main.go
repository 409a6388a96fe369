// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The lab's Kubernetes API: etcd, kube-apiserver and the controllers a rollout
// needs (Deployment, ReplicaSet, garbage collection, Namespace), each linked
// unchanged from its own Go module, in one process. There is no scheduler and
// no node: the lab's kubelet stand-in plays those over the API.
//
// With the argument rollout-status or expand it serves nothing: it answers, by
// kubectl's and the kubelet's own code, what tests hold our reading against.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/component-base/version"
)

// options are what the lab decides; everything else is fixed in apiserver.go.
type options struct {
	dataDir   string
	certFile  string
	keyFile   string
	tokenFile string
	auditLog  string
	port      int
}

func parse() (options, bool, error) {
	var o options
	show := flag.Bool("version", false, "print the version of Kubernetes and end")
	flag.StringVar(&o.dataDir, "data-dir", "", "folder of its own, made if missing (0700): etcd's files, keys")
	flag.StringVar(&o.certFile, "cert-file", "", "PEM certificate (with its chain) the API is served with")
	flag.StringVar(&o.keyFile, "key-file", "", "PEM key of that certificate")
	flag.StringVar(&o.tokenFile, "token-file", "", "CSV file of bearer tokens: token,user,uid,\"groups\"")
	flag.StringVar(&o.auditLog, "audit-log", "", "file the audit log is written to, one JSON object a line")
	flag.IntVar(&o.port, "port", 0, "port on 127.0.0.1 the API is served on")
	flag.Parse()
	if *show {
		return o, true, nil
	}
	for name, value := range map[string]*string{
		"data-dir": &o.dataDir, "cert-file": &o.certFile, "key-file": &o.keyFile,
		"token-file": &o.tokenFile, "audit-log": &o.auditLog,
	} {
		if *value == "" {
			return o, false, fmt.Errorf("--%s is needed", name)
		}
		// The program changes into its data folder (see etcd.go).
		absolute, err := filepath.Abs(*value)
		if err != nil {
			return o, false, err
		}
		*value = absolute
	}
	if o.port < 1 || o.port > 65535 {
		return o, false, fmt.Errorf("--port must be between 1 and 65535, not %d", o.port)
	}
	return o, false, nil
}

func run(o options) error {
	if err := os.MkdirAll(o.dataDir, 0o700); err != nil {
		return err
	}
	if err := os.Chdir(o.dataDir); err != nil {
		return err
	}
	endpoint, stopEtcd, err := startEtcd()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer stopEtcd()
	credentials, err := prepareCredentials(o.tokenFile)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	command := apiserverCommand(o, endpoint, credentials)
	ctx, cancel := context.WithCancel(command.Context())
	defer cancel()
	controllers := make(chan error, 1)
	go func() {
		controllers <- runControllers(ctx, o, credentials, func() {
			fmt.Printf("ready https://127.0.0.1:%d %s\n", o.port, version.Get().GitVersion)
		})
	}()
	server := make(chan error, 1)
	go func() { server <- command.ExecuteContext(ctx) }()
	select {
	case err = <-server:
		cancel()
	case err = <-controllers:
		// Without controllers no rollout would ever end: better to stop loudly.
		cancel()
		<-server
	}
	if err != nil && command.Context().Err() == nil {
		return err
	}
	return nil
}

func main() {
	oracles := map[string]func(io.Reader, io.Writer) error{rolloutStatusCommand: rolloutStatus, expandCommand: expand}
	if len(os.Args) == 2 && oracles[os.Args[1]] != nil {
		if err := oracles[os.Args[1]](os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "keybuzz-kube:", err)
			os.Exit(1)
		}
		return
	}
	o, show, err := parse()
	if err == nil && show {
		fmt.Println(version.Get().GitVersion)
		return
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keybuzz-kube:", err)
		os.Exit(1)
	}
}
