// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// The socket's name is relative to the data folder the program works in: an
// absolute path could exceed the 108 bytes the kernel allows for one, and a
// port on loopback would show every Secret of the lab to every local user.
const etcdSocket = "etcd.sock"

// startEtcd starts a one-member etcd behind a unix socket that only the owner
// of the data folder can reach, and returns the endpoint kube-apiserver takes.
func startEtcd() (endpoint string, stop func(), err error) {
	if err := os.Remove(etcdSocket); err != nil && !os.IsNotExist(err) {
		return "", nil, err
	}
	socket := url.URL{Scheme: "unix", Host: etcdSocket}
	// Nobody dials these: etcd only insists that they have a host and a port.
	unused := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config := embed.NewConfig()
	config.Dir = "etcd"
	config.ListenClientUrls = []url.URL{socket}
	config.AdvertiseClientUrls = []url.URL{unused}
	config.ListenPeerUrls = []url.URL{unused}
	config.AdvertisePeerUrls = []url.URL{unused}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "fatal" // what fails is returned as an error; the rest is the noise of stopping
	config.LogOutputs = []string{"stderr"}
	// A lab is thrown away as a whole: what a power cut would lose is no loss.
	config.UnsafeNoFsync = true
	config.AutoCompactionMode = "periodic"
	config.AutoCompactionRetention = "10m"
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
		return "unix://" + etcdSocket, server.Close, nil
	case err := <-server.Err():
		return "", nil, err
	case <-time.After(30 * time.Second):
		server.Close()
		return "", nil, os.ErrDeadlineExceeded
	}
}
