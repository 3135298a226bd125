/**
 * A server that answers by a script: one step for each request, the last one for all that follow.
 * It keeps what it was asked, so that a test can look at bytes.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
  /** The request's connection ended before it was answered. */
  closed: Promise<void>;
}

export type Step = (response: ServerResponse, asked: Asked, request: IncomingMessage) => void;

export class Scripted {
  readonly asked: Asked[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  /** Connections open at once, at most. */
  most = 0;
  url = "";
  #steps: Step[] = [];
  #waiting: Array<{ count: number; go: () => void }> = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async open(...steps: Step[]): Promise<Scripted> {
    const scripted = new Scripted();
    scripted.#steps = steps;
    scripted.#server.on("connection", (socket) => scripted.#connected(socket));
    await new Promise<void>((resolve) => scripted.#server.listen(0, "127.0.0.1", resolve));
    scripted.url = `http://127.0.0.1:${(scripted.#server.address() as AddressInfo).port}`;
    return scripted;
  }

  script(...steps: Step[]): void {
    this.#steps = steps;
  }

  /** Resolves when so many requests have come in all. */
  requests(count: number): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ count, go });
      this.#wake();
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    this.most = Math.max(this.most, this.sockets.size);
    socket.on("close", () => this.sockets.delete(socket));
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter(({ count, go }) => {
      if (this.asked.length >= count) go();
      return this.asked.length < count;
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked: Asked = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
      closed: new Promise((resolve) => response.on("close", resolve)),
    };
    this.asked.push(asked);
    const step = this.#steps.length > 1 ? this.#steps.shift() : this.#steps[0];
    if (!step) throw new Error("the script has no step");
    step(response, asked, request);
    this.#wake();
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Step {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** An error object as the server writes them. */
export function problem(status: number, code: string, more: Record<string, unknown> = {}): Step {
  const body = {
    type: "about:blank",
    title: code,
    status,
    code,
    message: `text of ${code}`,
    ...more,
  };
  return json(status, body, {
    "content-type": "application/problem+json",
    "x-request-id": "req-1",
  });
}

export const hangUp: Step = (response) => void response.socket?.destroy();
export const silence: Step = () => undefined;

export function event(id: number, type: string, payload: unknown): string {
  const data = JSON.stringify({ type, timestamp: "2026-01-01T00:00:00.000Z", payload });
  return `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`;
}

/** Sends the text as a stream; `then` decides how it goes on. */
export function stream(text: string | Buffer[], then: "end" | "break" | "hold"): Step {
  return (response) => {
    response.writeHead(200, {
      "content-type": "text/event-stream",
      location: "/v1/executions/exe_1",
    });
    for (const part of typeof text === "string" ? [text] : text) response.write(part);
    if (then === "end") response.end();
    // What was written must have left before the connection breaks.
    if (then === "break")
      response.write(":\n", () => setImmediate(() => response.socket?.destroy()));
  };
}

export const completed = {
  id: "exe_1",
  status: "completed",
  workflowId: "w",
  data: { n: 1 },
  durationMs: 5,
  trace: { id: "t" },
};
