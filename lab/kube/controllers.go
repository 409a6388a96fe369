// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"

	v1 "k8s.io/api/core/v1"
)

const (
	controllerUser = "system:kube-controller-manager"
	// Its first word becomes the field manager's name, as in a real cluster.
	controllerAgent = "kube-controller-manager"
	workers         = 2
	startDeadline   = 60 * time.Second
)

// runControllers waits for the API server, starts the controllers, calls ready
// once their caches are filled, and returns when ctx ends or a start failed.
func runControllers(ctx context.Context, o options, c credentials, ready func()) error {
	config, err := clientConfig(o, c)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := waitReady(ctx, client); err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	deployments, err := deployment.NewDeploymentController(ctx,
		factory.Apps().V1().Deployments(), factory.Apps().V1().ReplicaSets(), factory.Core().V1().Pods(), client)
	if err != nil {
		return err
	}
	replicaSets := replicaset.NewReplicaSetController(ctx,
		factory.Apps().V1().ReplicaSets(), factory.Core().V1().Pods(), client, replicaset.BurstReplicas)
	namespaces := namespace.NewNamespaceController(ctx, client, meta,
		client.Discovery().ServerPreferredNamespacedResources, factory.Core().V1().Namespaces(),
		5*time.Minute, v1.FinalizerKubernetes)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	started := make(chan struct{})
	garbage, err := garbagecollector.NewGarbageCollector(ctx, client, meta, mapper,
		garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(factory, metadatainformer.NewSharedInformerFactory(meta, 0)), started)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	close(started)
	factory.WaitForCacheSync(ctx.Done())
	go deployments.Run(ctx, workers)
	go replicaSets.Run(ctx, workers)
	go namespaces.Run(ctx, workers)
	go garbage.Run(ctx, workers, startDeadline)
	go garbage.Sync(ctx, client.Discovery(), 30*time.Second)
	ready()
	<-ctx.Done()
	return nil
}

func clientConfig(o options, c credentials) (*rest.Config, error) {
	// The certificate is served by this very process on loopback: pinning it
	// is stricter than any CA, and needs no further file.
	pem, err := os.ReadFile(o.certFile)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:        fmt.Sprintf("https://127.0.0.1:%d", o.port),
		BearerToken: c.controllerToken,
		UserAgent:   controllerAgent,
		QPS:         -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: pem,
		},
	}, nil
}

func waitReady(ctx context.Context, client kubernetes.Interface) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, startDeadline, true,
		func(ctx context.Context) (bool, error) {
			status := 0
			client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status)
			return status == http.StatusOK, nil
		})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("kube-apiserver was not ready after %s", startDeadline)
	}
	return err
}
