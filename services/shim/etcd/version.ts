/** The etcd version that twonode's API is that of. kube-apiserver asks for 3.5.13 or later. */
export const etcdVersion = '3.6.8';
