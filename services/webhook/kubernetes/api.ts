import {
  AdmissionregistrationV1Api,
  ApiException,
  type ConfigurationOptions,
  CoreV1Api,
  type CoreV1Event,
  KubeConfig,
  Observable,
  type ObservableMiddleware,
  PatchStrategy,
  SchedulingV1Api,
  setHeaderOptions,
  type V1PriorityClass,
  type V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';

/** Longest time for one call, in milliseconds. */
const callLimitMs = 5_000;
/** Whose fields these are, for server-side apply. */
const fieldManager = 'twonode';

/** The calls that the webhook makes to the kube-apiserver of its own node. Each rejects when it fails, after 5 s at the latest. */
export interface KubernetesApi {
  priorityClasses(): Promise<V1PriorityClass[]>;
  /** Null when there is none. */
  webhookConfiguration(name: string): Promise<V1ValidatingWebhookConfiguration | null>;
  /** Server-side apply: makes it, repairs it, or writes nothing when it is as it should be. */
  applyWebhookConfiguration(name: string, body: object): Promise<void>;
  /** Merge patches of a Node and its status. Resolve with false when there is no such Node. */
  patchNode(name: string, body: object): Promise<boolean>;
  patchNodeStatus(name: string, body: object): Promise<boolean>;
  /** Writes an event once: an event of this name that is there already is the same one. */
  createEvent(event: CoreV1Event): Promise<void>;
}

/** @throws Error when the kubeconfig cannot be read */
export function connectKubernetes(kubeconfig: string): KubernetesApi {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  const scheduling = config.makeApiClient(SchedulingV1Api);
  return {
    priorityClasses: async () =>
      (await scheduling.listPriorityClass({ resourceVersion: '0' }, limited())).items,
    webhookConfiguration: (name) =>
      unless(404, null, admission.readValidatingWebhookConfiguration({ name }, limited())),
    applyWebhookConfiguration: async (name, body) => {
      await admission.patchValidatingWebhookConfiguration(
        { name, body, fieldManager, force: true },
        limited(PatchStrategy.ServerSideApply),
      );
    },
    patchNode: (name, body) =>
      unless(
        404,
        false,
        core.patchNode({ name, body }, limited(PatchStrategy.StrategicMergePatch)).then(yes),
      ),
    patchNodeStatus: (name, body) =>
      unless(
        404,
        false,
        core.patchNodeStatus({ name, body }, limited(PatchStrategy.StrategicMergePatch)).then(yes),
      ),
    createEvent: async (body) => {
      const namespace = body.metadata.namespace ?? 'default';
      await unless(409, null, core.createNamespacedEvent({ namespace, body }, limited()));
    },
  };
}

const yes = () => true;

/** Takes one HTTP status for an answer. */
async function unless<T, A>(code: number, answer: A, call: Promise<T>): Promise<T | A> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiException && error.code === code) return answer;
    throw error;
  }
}

/** One call: it ends in time, and a patch says what kind it is. */
function limited(patch?: string): ConfigurationOptions<ObservableMiddleware> {
  const limit: ObservableMiddleware = {
    pre: (request) => {
      request.setSignal(AbortSignal.timeout(callLimitMs));
      return new Observable(Promise.resolve(request));
    },
    post: (response) => new Observable(Promise.resolve(response)),
  };
  const options = { middleware: [limit], middlewareMergeStrategy: 'append' as const };
  return patch === undefined ? options : setHeaderOptions('Content-Type', patch, options);
}
