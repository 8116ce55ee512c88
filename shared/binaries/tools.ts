/** The programs that twonode runs or tests with, and how each is recognised and built. */
export interface Tool {
  /** Folder below `tools/` whose go.mod pins it. */
  family: 'nats' | 'etcd' | 'kine' | 'kubernetes' | 'kwok';
  /** Go package of its main function. */
  package: string;
  /** The module in that go.mod whose version is the tool's version. */
  module: string;
  /** Arguments that make it print its version; null when it cannot: then PATH is not searched. */
  versionArguments: string[] | null;
  /** `-X` settings that put the version in where the module system does not; `VERSION` stands for it. */
  linkerSettings?: string;
  /** Go build tags. */
  tags?: string;
}

const kubernetes = (name: string, versionArguments = ['--version']): Tool => ({
  family: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  module: 'k8s.io/kubernetes',
  versionArguments,
  linkerSettings: '-X k8s.io/component-base/version.gitVersion=VERSION',
});

export const tools = {
  'nats-server': {
    family: 'nats',
    package: 'github.com/nats-io/nats-server/v2',
    module: 'github.com/nats-io/nats-server/v2',
    versionArguments: ['--version'],
  },
  nats: {
    family: 'nats',
    package: 'github.com/nats-io/natscli/nats',
    module: 'github.com/nats-io/natscli',
    versionArguments: ['--version'],
  },
  etcd: {
    family: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    module: 'go.etcd.io/etcd/server/v3',
    versionArguments: ['--version'],
  },
  etcdctl: {
    family: 'etcd',
    package: 'go.etcd.io/etcd/etcdctl/v3',
    module: 'go.etcd.io/etcd/etcdctl/v3',
    versionArguments: ['version'],
  },
  'etcd-benchmark': {
    family: 'etcd',
    package: 'go.etcd.io/etcd/v3/tools/benchmark',
    module: 'go.etcd.io/etcd/v3',
    versionArguments: null,
  },
  /** The SQL backends need cgo; NATS does not. */
  kine: {
    family: 'kine',
    package: 'github.com/k3s-io/kine',
    module: 'github.com/k3s-io/kine',
    versionArguments: null,
    tags: 'nats',
  },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubectl: kubernetes('kubectl', ['version', '--client']),
  kwok: {
    family: 'kwok',
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    module: 'sigs.k8s.io/kwok',
    versionArguments: ['--version'],
  },
} as const satisfies Record<string, Tool>;

export type BinaryName = keyof typeof tools;

/** The environment variable that names a tool's binary: `TWONODE_NATS_SERVER`. */
export function environmentVariable(name: BinaryName): string {
  return `TWONODE_${name.toUpperCase().replaceAll('-', '_')}`;
}
