import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import type { Logger } from '../../shared/logger.ts';
import type { StateMessage } from '../../shared/messages.ts';
import { type Decision, decide, type Policy } from './decide.ts';
import type { WebhookMetrics } from './metrics.ts';
import { respond, warningLabel } from './respond.ts';
import { decodeReview } from './review.ts';

/** The path of the webhook in the URL that kube-apiserver knows. */
export const validatePath = '/validate';

/** A review holds the new and the old object, of 3 MB at most each. */
const bodyLimit = '7mb';

export interface AppOptions {
  policy: Policy;
  metrics: WebhookMetrics;
  /** The state of this node; null when it is not known. */
  state: () => StateMessage | null;
  /** Milliseconds since the Unix epoch. */
  now: () => number;
  logger: Pick<Logger, 'warn'>;
}

/** The HTTP side: a review in, its answer out; anything else gets the right status and one sentence. */
export function createApp(options: AppOptions): Express {
  const { metrics, logger } = options;
  const reject = (response: Response, code: number, sentence: string) => {
    metrics.rejected.inc({ code });
    logger.warn({ code, fault: sentence }, 'a request was no admission review');
    response.status(code).type('text/plain').send(`${sentence}\n`);
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app
    .route(validatePath)
    .post(express.json({ limit: bodyLimit, inflate: false }), (request, response) => {
      if (request.body === undefined) return reject(response, 415, 'expected Content-Type application/json');
      const review = decodeReview(request.body);
      if (!review.ok) return reject(response, 400, review.error);
      const end = metrics.duration.startTimer();
      const decision = decide(options.state(), options.policy, review.request);
      count(metrics, decision, review.request.operation);
      response.json(respond(review.request.uid, decision, options.now()));
      end();
    })
    .all((_request, response) => reject(response.set('Allow', 'POST'), 405, 'only POST'));
  app.use((_request, response) => reject(response, 404, `there is only ${validatePath}`));
  app.use(bodyFault(reject));
  return app;
}

function count(metrics: WebhookMetrics, decision: Decision, verb: string): void {
  const state = decision.state?.state ?? 'unknown';
  metrics.requests.inc({ allowed: String(decision.kind === 'allowed'), state, verb });
  if (decision.kind === 'allowed' && decision.state && warningLabel(decision.state, decision.verdict)) {
    metrics.labelled.inc();
  }
}

/** What body-parser found wrong, in our words: its own quote the body. */
const bodyFaults: Record<string, [code: number, sentence: string]> = {
  'entity.too.large': [413, `the body is larger than ${bodyLimit}`],
  'entity.parse.failed': [400, 'the body is not JSON'],
  'encoding.unsupported': [415, 'expected a body without Content-Encoding'],
  'charset.unsupported': [415, 'expected a body in UTF-8'],
  'request.size.invalid': [400, 'the body is not as long as Content-Length says'],
  'request.aborted': [400, 'the body ended early'],
};

function bodyFault(
  reject: (response: Response, code: number, sentence: string) => void,
): ErrorRequestHandler {
  return (error: { type?: string }, _request: Request, response, next) => {
    if (response.headersSent) return next(error);
    const [code, sentence] = bodyFaults[error.type ?? ''] ?? [500, 'the webhook failed'];
    reject(response, code, sentence);
  };
}
