import { failed, ok, unknown, type Verdict } from '../verdict.ts';
import { type HttpReading, readHttp } from './http.ts';

/**
 * Where a kube-apiserver says whether it is ready. Its checks of etcd are left out: they wait for the leader while the link
 * stalls, and whether the datastore serves is for the shim to say.
 * @param host an IPv6 address in brackets
 */
export function readyzUrl(host: string, port: number): string {
  return `https://${host}:${port}/readyz?exclude=etcd&exclude=etcd-readiness`;
}

/**
 * Judges the answer to GET /readyz of a kube-apiserver. Anonymous callers may read it by default (ClusterRole
 * `system:public-info-viewer`). 401 is the answer of one that takes no anonymous callers, as k3s': it answers, that must do.
 * 403 says nothing: an apiserver that starts for the first time answers so until its roles are written, and is not ready.
 * @param whose `API` or `API of node-b`, how the reason begins
 */
export function judgeReadyz(reading: HttpReading, whose: string): Verdict {
  if (!reading.answered) {
    const reason = reading.timedOut ? `${whose} does not answer` : `${whose}: ${reading.fault}`;
    return failed(reason, { http_status: null, timed_out: reading.timedOut });
  }
  const { status, body } = reading;
  const value = { http_status: status };
  if (status === 200) return ok(value);
  if (status === 401) return ok(value, `${whose} answers, but takes no anonymous callers (HTTP 401)`);
  if (status === 403) return unknown(`${whose} does not say whether it is ready (HTTP 403)`, value);
  const checks = failedChecks(body);
  const detail = checks.length > 0 ? `: ${checks.join(', ')}` : '';
  return failed(`${whose} is not ready (HTTP ${status}${detail})`, { ...value, failed_checks: checks });
}

/** The names of the checks that failed, from the lines `[-]etcd failed: reason withheld` of the answer; at most five. */
function failedChecks(body: string): string[] {
  return [...body.matchAll(/^\[-\](\S+)/gm)].map((match) => match[1] ?? '').slice(0, 5);
}

/** Asks the own kube-apiserver whether it is ready. */
export async function probeApi(url: string, timeoutMs: number): Promise<Verdict> {
  return judgeReadyz(await readHttp(url, timeoutMs), 'API');
}
