import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldsOf, joinFields } from "../../../src/build/csv.ts";
import type { RunMount } from "../../../src/build/instruction.ts";
import { parseRunMount } from "../../../src/build/run-mount.ts";
import { Failure } from "../../../src/failure.ts";

const NO_OWNER = { mode: undefined, uid: undefined, gid: undefined };

function refused(text: string, message: RegExp, hint?: RegExp): void {
  assert.throws(
    () => parseRunMount(text),
    (error) => {
      assert.ok(error instanceof Failure, String(error));
      assert.match(error.message, message);
      if (hint !== undefined) assert.match(error.hint ?? "", hint);
      return true;
    },
  );
}

test("each type has its options, by all their names", () => {
  const cases: [text: string, expected: RunMount][] = [
    ["target=/x", { type: "bind", target: "/x", from: undefined, source: "", readWrite: false }],
    ["type=bind,dst=x,src=a,from=base,rw", { type: "bind", target: "x", from: "base", source: "a", readWrite: true }],
    ["TYPE=Bind,Destination=/x,ro=false", { type: "bind", target: "/x", from: undefined, source: "", readWrite: true }],
    ["type=bind,target=/x,readwrite=0", { type: "bind", target: "/x", from: undefined, source: "", readWrite: false }],
    [
      "type=cache,target=/c",
      {
        type: "cache",
        target: "/c",
        id: undefined,
        from: undefined,
        source: "",
        readOnly: false,
        sharing: "shared",
        ...NO_OWNER,
      },
    ],
    [
      "type=cache,target=/c,id=i,from=f,source=s,ro,sharing=Locked,mode=0700,uid=1,gid=2",
      {
        type: "cache",
        target: "/c",
        id: "i",
        from: "f",
        source: "s",
        readOnly: true,
        sharing: "locked",
        mode: 0o700,
        uid: 1,
        gid: 2,
      },
    ],
    ["type=tmpfs,target=/t", { type: "tmpfs", target: "/t", sizeBytes: undefined }],
    ["type=tmpfs,target=/t,size=1.5m", { type: "tmpfs", target: "/t", sizeBytes: 1_572_864 }],
    ["type=tmpfs,target=/t,size=64MiB", { type: "tmpfs", target: "/t", sizeBytes: 67_108_864 }],
    ["type=secret,id=k", { type: "secret", id: "k", target: undefined, env: undefined, required: false, ...NO_OWNER }],
    [
      "type=secret,target=/a/k",
      { type: "secret", id: "k", target: "/a/k", env: undefined, required: false, ...NO_OWNER },
    ],
    [
      "type=secret,src=k,dst=/x",
      { type: "secret", id: "k", target: "/x", env: undefined, required: false, ...NO_OWNER },
    ],
    [
      "required,type=secret,id=k,env=K,mode=444,uid=0,gid=0",
      { type: "secret", id: "k", target: undefined, env: "K", required: true, mode: 0o444, uid: 0, gid: 0 },
    ],
    ["type=ssh", { type: "ssh", id: "default", target: undefined, required: false, ...NO_OWNER }],
    ["type=ssh,id=a,target=/s,required=true", { type: "ssh", id: "a", target: "/s", required: true, ...NO_OWNER }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseRunMount(text), expected, text);
});

test("a type may be told to be what it always is", () => {
  assert.deepEqual(parseRunMount("type=secret,id=k,ro"), parseRunMount("type=secret,id=k"));
  assert.deepEqual(parseRunMount("type=ssh,readonly=true"), parseRunMount("type=ssh"));
  assert.deepEqual(parseRunMount("type=tmpfs,target=/t,rw"), parseRunMount("type=tmpfs,target=/t"));
  refused("type=secret,id=k,ro=false", /always read-only/);
  refused("type=tmpfs,target=/t,rw=false", /always writable/);
  refused("type=ssh,rw", /the type ssh has no option 'rw'/);
});

test("what a type does not take is refused, with what was meant", () => {
  refused("type=bnid,target=/x", /there is no type 'bnid'/, /did you mean bind\?/);
  refused("type=volume,target=/x", /there is no type 'volume'/, /use bind, cache/);
  refused("type=bind,taget=/x", /the type bind has no option 'taget'/, /did you mean target\?/);
  refused("type=bind,target=/x,mode=0700", /the type bind has no option 'mode'/, /it takes target/);
  refused("type=bind,target=/x,sharing=locked", /the type bind has no option 'sharing'/);
  refused("type=tmpfs,target=/x,source=y", /the type tmpfs has no option 'source'/);
  refused("type=secret,id=x,from=y", /the type secret has no option 'from'/);
  refused("type=cache,target=/x,size=1m", /the type cache has no option 'size'/);
  refused("type=cache,target=/x,required", /the type cache has no option 'required'/);
  refused("target=/x,constructor=1", /has no option 'constructor'/);
  refused("", /has no option ''/);
});

test("values that mean nothing are refused", () => {
  refused("type=bind", /needs a target/);
  refused("type=cache,target=", /needs a target/);
  refused("type=bind,target", /'target' needs a value/);
  refused("type=bind,target=/x,ro=maybe", /'readonly' is true or false/);
  refused("type=bind,target=/x,ro,rw", /contradict/);
  refused("type=cache,target=/x,sharing=private1", /there is no sharing/, /did you mean private\?/);
  refused("type=cache,target=/x,mode=0888", /'0888' cannot be the mode/);
  refused("type=cache,target=/x,mode=77777", /'77777' cannot be the mode/);
  refused("type=cache,target=/x,uid=root", /'root' cannot be the uid/);
  refused("type=cache,target=/x,gid=4294967296", /cannot be the gid/);
  refused("type=tmpfs,target=/x,size=big", /'big' is no size/);
  refused("type=secret", /a secret needs an id/);
  refused("type=secret,env=K", /a secret needs an id/);
  refused("type=secret,id=../x", /'..\/x' cannot be the id/);
  refused("type=secret,target=/x/..", /'..' cannot be the id/);
  refused("type=secret,id=a,source=b", /one id, or one source/);
});

test("options are fields of CSV", () => {
  assert.deepEqual(fieldsOf('a,"b,c",,"d ""e""",f'), ["a", "b,c", "", 'd "e"', "f"]);
  assert.deepEqual(fieldsOf("a,"), ["a", ""]);
  const target = parseRunMount('type=cache,"target=/a,b"');
  assert.equal(target.type === "cache" && target.target, "/a,b");
  refused('"target=/x', /quotes are not closed/);
  refused('"target=/x"y', /text follows quotes/);
  refused('target=/"x"', /quotes stand within text/);
  refused("a,".repeat(64), /more than 64 options in one/);
});

test("fields that are joined are the same when they are read", () => {
  const fields = fc.array(fc.oneof(fc.string(), fc.stringMatching(/^[a",]{0,5}$/)), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(fields, (all) => assert.deepEqual(fieldsOf(joinFields(all)), all)));
});

test("any text is a mount or refused", () => {
  const part = fc.oneof(
    fc.constantFrom("type=", "cache", "secret", "target=/", "id=", "mode=", ",", "=", '"', "ro", "size=9"),
    fc.string({ maxLength: 3 }),
  );
  const check = fc.property(
    fc.array(part).map((all) => all.join("")),
    (text) => {
      try {
        assert.ok(parseRunMount(text).type.length > 0);
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    },
  );
  fc.assert(check, { numRuns: 1000 });
});
