import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The metrics of the webhook. Their labels are bounded: no resource, user or object is among them. */
export class WebhookMetrics {
  /** Reviews that were answered. `state` is `unknown` when the webhook failed open. */
  readonly requests: Counter<'allowed' | 'state' | 'verb'>;
  /** Requests that were no review, by HTTP status. */
  readonly rejected: Counter<'code'>;
  /** Writes that carried the warning label: a rule of the impairedMutationList which is not built in. */
  readonly labelled: Counter;
  readonly duration: Histogram;
  readonly certificateExpiry: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.requests = new Counter({
      name: 'twonode_webhook_requests_total',
      help: 'Admission reviews answered.',
      labelNames: ['allowed', 'state', 'verb'],
      registers,
    });
    this.rejected = new Counter({
      name: 'twonode_webhook_rejected_total',
      help: 'Requests that were not an admission review, by HTTP status.',
      labelNames: ['code'],
      registers,
    });
    this.labelled = new Counter({
      name: 'twonode_webhook_impaired_writes_total',
      help: 'Writes while Impaired that a configured rule allowed; each carried a warning.',
      registers,
    });
    this.duration = new Histogram({
      name: 'twonode_webhook_duration_seconds',
      help: 'Time from the body of a review to its answer.',
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 1],
      registers,
    });
    this.certificateExpiry = new Gauge({
      name: 'twonode_webhook_certificate_expiry_timestamp_seconds',
      help: 'When the certificate that is served ends, in seconds since the Unix epoch.',
      registers,
    });
  }
}
