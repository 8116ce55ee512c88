import { failed, ok, type Verdict } from '../verdict.ts';
import { type HttpReading, readHttp } from './http.ts';

/**
 * Judges `/healthz` of the own nats-server: 200 `{"status":"ok"}` when the server and, as it is configured, JetStream with
 * its streams work; else 503 with the fault in `error`.
 */
export function judgeDatastore(reading: HttpReading): Verdict {
  if (!reading.answered) {
    const reason = reading.timedOut ? 'nats-server does not answer' : `nats-server: ${reading.fault}`;
    return failed(reason, { http_status: null });
  }
  const { status, error } = parseHealth(reading.body);
  const value = { http_status: reading.status, nats_status: status };
  if (reading.status === 200 && status === 'ok') return ok(value);
  return failed(`nats-server is not healthy: ${error || status || `HTTP ${reading.status}`}`, value);
}

function parseHealth(body: string): { status: string; error: string } {
  try {
    const { status = '', error = '' } = JSON.parse(body) as { status?: unknown; error?: unknown };
    return { status: String(status), error: String(error) };
  } catch {
    return { status: '', error: '' };
  }
}

/** Asks the own nats-server for its health. */
export async function probeDatastore(monitoringPort: number, timeoutMs: number): Promise<Verdict> {
  return judgeDatastore(await readHttp(`http://127.0.0.1:${monitoringPort}/healthz`, timeoutMs));
}
