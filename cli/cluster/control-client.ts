import { request } from 'node:http';
import { UserError } from '../../shared/lifecycle.ts';
import { type Fault, type FaultAnswer, faultAnswerSchema } from './faults.ts';

const limitMs = 30_000;

/**
 * Asks a running cluster for a fault.
 * @returns what it did, in a sentence
 * @throws UserError when it refuses, or does not run
 */
export async function requestFault(socketPath: string, fault: Fault): Promise<string> {
  const { ok, text } = await post(socketPath, JSON.stringify(fault));
  if (!ok) throw new UserError(text);
  return text;
}

function post(socketPath: string, body: string): Promise<FaultAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', timeout: limitMs }, async (response) => {
      let answer = '';
      for await (const chunk of response) answer += chunk;
      resolve(faultAnswerSchema.parse(JSON.parse(answer)));
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', () => reject(new UserError('the cluster does not answer: "npm start" starts one')));
    asked.end(body);
  });
}
