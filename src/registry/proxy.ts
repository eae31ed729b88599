/**
 * Which proxy a URL is asked through, by the variables that curl, Go and others know. Pure.
 */
import { variableIn } from "../linux/environment.ts";

/** What of an absolute http or https URL matters here. */
const URL_PARTS = /^(https?):\/\/(?:[^@/]*@)?(\[[0-9a-fA-F:.]+\]|[^:/?#]+)(?::(\d+))?/;

/** The value of a variable in either case of letters; "" if neither has one. */
function eitherCase(environment: readonly string[], name: string): string {
  return variableIn(environment, name.toLowerCase()) || variableIn(environment, name) || "";
}

/** Whether a host and port are named by an item of NO_PROXY: `*`, a host, a domain (with or without a dot before it). */
function isNamed(item: string, host: string, port: string): boolean {
  if (item === "*") return true;
  const [, name = item, itsPort] = /^(.*?):(\d+)$/.exec(item) ?? [];
  if (itsPort !== undefined && itsPort !== port) return false;
  const bare = name.replace(/^\*?\./, "").toLowerCase();
  return bare !== "" && (host === bare || host.endsWith(`.${bare}`));
}

/** `http://[user:password@]host:port`; undefined if the URL is asked without a proxy, as those of this machine always are. */
export function proxyFor(url: string, environment: readonly string[]): string | undefined {
  const [, scheme = "", rawHost = "", givenPort] = URL_PARTS.exec(url) ?? [];
  const host = rawHost.toLowerCase();
  if (host === "" || host === "localhost" || host === "[::1]" || /^127(?:\.\d+){3}$/.test(host)) return undefined;
  const proxy = eitherCase(environment, scheme === "https" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (proxy === "") return undefined;
  const port = givenPort ?? (scheme === "https" ? "443" : "80");
  const excepted = eitherCase(environment, "NO_PROXY").split(",");
  if (excepted.some((item) => isNamed(item.trim(), host, port))) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}
