/** Runs handlers as Next.js runs them: by its own route module and its own API resolver. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { Server } from "node:http";

/** Next.js wants it to be there before its modules are loaded. */
Object.assign(globalThis, { AsyncLocalStorage: require("node:async_hooks").AsyncLocalStorage });
process.env["NEXT_RUNTIME"] = "nodejs";

/** Node.js 18 as Debian 12 builds it has Headers without this one, which Next.js calls. */
if (!("getSetCookie" in Headers.prototype))
  Object.defineProperty(Headers.prototype, "getSetCookie", {
    value(this: Headers): string[] {
      const all = this.get("set-cookie");
      return all === null ? [] : [all];
    },
  });

type Handlers = { POST(request: Request): Promise<Response> };

/** The answer of an App Router route to a request. */
export async function handleAppRoute(userland: Handlers, request: Request): Promise<Response> {
  const { AppRouteRouteModule } = require("next/dist/server/route-modules/app-route/module");
  const { NextRequest } = require("next/dist/server/web/spec-extension/request");
  const definition = {
    kind: "APP_ROUTE",
    page: "/api/webhook/route",
    pathname: "/api/webhook",
    filename: "route",
    bundlePath: "app/api/webhook/route",
  };
  const module_ = new AppRouteRouteModule({
    userland,
    definition,
    distDir: ".next",
    relativeProjectDir: "",
    resolvedPagePath: "app/api/webhook/route.ts",
    nextConfigOutput: undefined,
  });
  return await module_.handle(new NextRequest(request), {
    params: undefined,
    prerenderManifest: {
      version: 4,
      routes: {},
      dynamicRoutes: {},
      notFoundRoutes: [],
      preview: {},
    },
    renderOpts: {
      experimental: {},
      supportsDynamicResponse: true,
      waitUntil: () => undefined,
      onClose: () => undefined,
    },
    sharedContext: { buildId: "test" },
  });
}

/** A server with one API route of the pages router. */
export function servePagesHandler(module_: unknown): Server {
  const { apiResolver } = require("next/dist/server/api-utils/node/api-resolver");
  const secret = (): string => randomBytes(16).toString("hex");
  const preview = {
    previewModeId: secret(),
    previewModeEncryptionKey: secret(),
    previewModeSigningKey: secret(),
    dev: false,
  };
  return createServer((request, response) => {
    void apiResolver(request, response, {}, module_, preview, false);
  });
}
