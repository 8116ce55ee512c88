/** The part of the package `ping` 0.4 that is used here; it ships no types. */
declare module 'ping' {
  interface PingOptions {
    v6?: boolean;
    numeric?: boolean;
    min_reply?: number;
    /** Seconds. */
    timeout?: number;
    /** Seconds. */
    deadline?: number;
    extra?: string[];
  }
  interface PingResponse {
    alive?: boolean;
    /** Milliseconds, or `unknown`. */
    time?: number | string;
    output?: string;
  }
  const ping: { promise: { probe(address: string, options: PingOptions): Promise<PingResponse> } };
  export default ping;
}
