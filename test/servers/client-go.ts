/**
 * The elector of Argo Events' Pods on a Kubernetes Lease: client-go's own, in the version that they are built with, as a process that elects
 * and says when it leads.
 */
import { installed } from './cache.ts'
import { buildGo } from './go.ts'
import { type ServerProcess, startProcess } from './process.ts'

/** As Argo Events pins it (go.mod). */
export const CLIENT_GO_VERSION = '0.32.2'
const DIR = `client-go-${CLIENT_GO_VERSION}`

export const electorBinary = () => installed(DIR, 'elector')

/** A lead lasts while the worker's context does, as in Argo Events. Times are milliseconds since the epoch. */
const MAIN = `package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func say(what string) {
	fmt.Printf("%.3f %s\\n", float64(time.Now().UnixMicro())/1000, what)
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func duration(text string) time.Duration {
	return must(time.ParseDuration(text))
}

// kubeconfig namespace lease identity leaseDuration renewDeadline retryPeriod
func main() {
	args := os.Args[1:]
	client := must(kubernetes.NewForConfig(must(clientcmd.BuildConfigFromFlags("", args[0]))))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	elector := must(leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: args[1], Name: args[2]},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: args[3]},
		},
		ReleaseOnCancel: true,
		LeaseDuration:   duration(args[4]),
		RenewDeadline:   duration(args[5]),
		RetryPeriod:     duration(args[6]),
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				say("leads")
				<-ctx.Done()
				say("stops")
			},
			OnStoppedLeading: func() {},
		},
	}))
	say("stands")
	elector.Run(ctx)
}
`

/** @throws when Go is missing or the build fails */
export function installElector(): void {
  const version = `v${CLIENT_GO_VERSION}`
  const requires = { 'k8s.io/client-go': version, 'k8s.io/apimachinery': version }
  buildGo({ dir: DIR, name: 'elector', main: MAIN, requires })
}

export interface Elector extends ServerProcess {
  leads(): boolean
  /** When it led, milliseconds since the epoch; `to` is Infinity while it does. */
  led(): { from: number; to: number }[]
}

export interface ElectorOptions {
  /** Path of a file. */
  kubeconfig: string
  lease: { namespace: string; name: string }
  identity: string
  /** Go durations: lease duration, renew deadline, retry period. */
  timing: [lease: string, renewDeadline: string, retry: string]
}

export async function startElector({ kubeconfig, lease, identity, timing }: ElectorOptions): Promise<Elector> {
  const binary = electorBinary()
  if (binary === null) throw new Error("client-go's elector is not installed: npm run servers")
  const server = await startProcess(binary, [kubeconfig, lease.namespace, lease.name, identity, ...timing], {
    ready: async (started) => started.output().includes(' stands\n'),
  })
  let killedAt = Number.POSITIVE_INFINITY
  const led = () => {
    const leads: { from: number; to: number }[] = []
    for (const [, at, what] of server.output().matchAll(/^(\d+\.\d+) (leads|stops)$/gm)) {
      if (what === 'leads') leads.push({ from: Number(at), to: killedAt })
      else leads.at(-1)!.to = Number(at)
    }
    return leads
  }
  return {
    ...server,
    leads: () => led().at(-1)?.to === Number.POSITIVE_INFINITY,
    led,
    async kill() {
      killedAt = Date.now()
      await server.kill()
    },
  }
}
