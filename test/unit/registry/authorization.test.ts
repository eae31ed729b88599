import assert from "node:assert/strict";
import { test } from "node:test";
import { parseToken, tokenRequest } from "../../../src/registry/authorization.ts";

const challenge = (parameters: Record<string, string>) => ({
  scheme: "bearer",
  parameters: new Map(Object.entries(parameters)),
});
const NOWHERE = () => false;
const isLoopback = (host: string) => host.startsWith("127.");
const BASIC = { basic: "dTpw", refreshToken: undefined };

test("a token is asked for with service, scope and, where there are any, user and password", () => {
  const asked = challenge({ realm: "https://auth.example/token", service: "a b" });
  assert.deepEqual(tokenRequest(asked, "repository:x/y:pull", BASIC, NOWHERE), {
    method: "GET",
    url: "https://auth.example/token?service=a%20b&scope=repository%3Ax%2Fy%3Apull",
    headers: [["authorization", "Basic dTpw"]],
  });
  const own = challenge({ realm: "https://auth.example/token?a=1", scope: "own" });
  assert.deepEqual(tokenRequest(own, "other", undefined, NOWHERE), {
    method: "GET",
    url: "https://auth.example/token?a=1&scope=own",
    headers: [],
  });
});

test("a refresh token is sent in a form", () => {
  const asked = challenge({ realm: "https://auth.example/t", service: "s" });
  const request = tokenRequest(asked, "x", { basic: undefined, refreshToken: "r&r" }, NOWHERE);
  assert.equal(request.method, "POST");
  assert.deepEqual(request.body, {
    kind: "text",
    text: "grant_type=refresh_token&client_id=mycontainer&service=s&scope=x&refresh_token=r%26r",
  });
});

test("nobody is told a password without TLS, but by a registry that has none itself", () => {
  for (const realm of ["http://auth.example/", "ftp://a", "/token", ""]) {
    assert.throws(() => tokenRequest(challenge({ realm }), "x", BASIC, NOWHERE), /sends for a token to/);
  }
  assert.throws(
    () => tokenRequest(challenge({ realm: "file:///etc" }), "x", BASIC, () => true),
    /sends for a token to/,
  );
  assert.equal(tokenRequest(challenge({ realm: "http://127.0.0.1:1/t" }), "x", BASIC, isLoopback).method, "GET");
});

test("a registry without TLS does not have a password sent elsewhere without TLS", () => {
  for (const realm of ["http://else.example/", "http://127.0.0.1@else.example/", "http://else.example#127.0.0.1/"]) {
    assert.throws(() => tokenRequest(challenge({ realm }), "x", BASIC, isLoopback), /sends for a token to/);
  }
});

test("a token is one under either name, and nothing that could end a header", () => {
  assert.equal(parseToken('{"token":"abc"}'), "abc");
  assert.equal(parseToken('{"access_token":"abc"}'), "abc");
  for (const none of ["", "[]", "{}", '{"token":1}', '{"token":"a\\r\\nb"}', '{"token":""}']) {
    assert.equal(parseToken(none), undefined, none);
  }
});
