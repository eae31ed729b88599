import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { template } from "../../../src/term/template.ts";

const DATA = {
  ID: "abc",
  Names: ["one", "two"],
  Count: 3,
  Labels: { b: "2", a: "1" },
  State: { Running: true, Health: { Status: "healthy" } },
  Ports: { "80/tcp": [{ HostPort: "8080" }], "53/udp": null },
  Empty: "",
  Label: (name: string) => `<${name}>`,
};
const fill = (text: string, data: unknown = DATA) => template(text).fill(data);

/** What Go's text/template, with docker's functions, prints for these. */
const EXAMPLES: Readonly<Record<string, string>> = {
  plain: "plain",
  "{{.ID}}": "abc",
  "{{ .ID }}-{{.State.Health.Status}}": "abc-healthy",
  "{{.Names}} {{.Labels}} {{.Count}} {{.State.Running}}": "[one two] map[a:1 b:2] 3 true",
  "{{json .Labels}} {{json .ID}} {{.Names | json}}": '{"b":"2","a":"1"} "abc" ["one","two"]',
  '{{join .Names ", "}} {{upper .ID}} {{title .ID}} {{.ID | upper | lower}}': "one, two ABC Abc abc",
  "{{if .State.Running}}up{{else}}down{{end}}": "up",
  "{{if .Empty}}a{{else if .Missing}}b{{end}}": "",
  '{{if eq .ID "x" "abc"}}yes{{end}}{{if and .ID (not .Empty)}}!{{end}}': "yes!",
  "{{range .Names}}<{{.}}>{{end}}": "<one><two>",
  "{{range $i, $name := .Names}}{{$i}}={{$name}};{{end}}": "0=one;1=two;",
  "{{range $k, $v := .Labels}}{{$k}}:{{$v}} {{$.ID}},{{end}}": "a:1 abc,b:2 abc,",
  "{{range $p, $c := .Ports}}{{if $c}}{{$p}}->{{(index $c 0).HostPort}}{{end}}{{end}}": "80/tcp->8080",
  '{{(index (index .Ports "80/tcp") 0).HostPort}}': "8080",
  '{{index .Labels "b"}} {{index .Labels "c"}} {{len .Names}}': "2 <no value> 2",
  "{{range .Empty}}x{{else}}none{{end}}": "none",
  "{{with .State.Health}}{{.Status}}{{end}}": "healthy",
  "a {{- .ID -}} b{{/* nothing */}}": "aabcb",
  '{{$x := .ID}}{{printf "%-5s|%3v|%q" $x .Count $x}}': 'abc  |  3|"abc"',
  '{{.Label "k.v"}} {{truncate .ID 2}} {{pad .ID 1 1}}|{{split "a/b" "/"}}': "<k.v> ab  abc |[a b]",
  "{{println 1 `raw\\n`}}": "1 raw\\n\n",
  "{{.State.Nothing}}": "<no value>",
};

for (const [text, wanted] of Object.entries(EXAMPLES)) {
  test(`a template as Go fills it: ${text}`, () => {
    const given = text.includes(".Missing") ? { ...DATA, Missing: "" } : DATA;
    assert.equal(fill(text, given), wanted);
  });
}

test("what is no template is refused with its reason", () => {
  const wrong = {
    "{{.ID": /not closed/,
    "{{if .ID}}": /'end' is missing/,
    "{{end}}": /without its beginning/,
    "{{if .ID}}{{else}}{{else}}{{end}}": /'else' too many/,
    "{{}}": /a value is missing/,
    "{{.ID | }}": /a value is missing/,
    "{{(.ID}}": /bracket is not closed/,
    "{{.ID ~}}": /is not understood/,
    "{{.ID) }}": /goes on where it should end/,
    "{{nosuch .ID}}": /no function 'nosuch'/,
    "{{.Nosuch}}": /no field 'Nosuch'/,
    "{{.ID.Deep}}": /no field 'Deep' in '\.ID'/,
    "{{.Missing.Deep}}": /no field 'Missing'/,
    "{{$x}}": /sets no variable/,
    "{{.ID .ID}}": /takes no arguments/,
    "{{index .Names 7}}": /item 7 of 2/,
  };
  for (const [text, reason] of Object.entries(wrong)) {
    assert.throws(
      () => fill(text),
      (error) => error instanceof Failure && reason.test(error.message),
      text,
    );
  }
  assert.throws(() => fill(`${"{{if .ID}}".repeat(1000)}`), /too deep/);
  assert.throws(() => fill(`{{${"(".repeat(1000)}}}`), /too deep/);
});

test("a heading has titles where the fields are", () => {
  const { heading } = template('{{.ID}}\t{{json .Names}}\t{{.Label "x"}} {{.Names | upper}}');
  assert.equal(heading({ ID: "IMAGE ID", Names: "NAMES", Label: "LABEL" }), "IMAGE ID\tNAMES\tLABEL NAMES");
});

test("numbers beyond what JavaScript counts exactly are printed whole", () => {
  assert.equal(
    fill("{{.N}} {{if gt .N 1}}more{{end}}", { N: 18_446_744_073_709_551_615n }),
    "18446744073709551615 more",
  );
});

test("values have nothing that a terminal would obey, and the template's own text is as it is", () => {
  const data = { A: "x\u001b[31m\ty\n\u009bz", L: ["\u0007a"] };
  assert.equal(fill("\u001b[1m{{.A}}|{{.L}}|{{join .L `,`}}", data), "\u001b[1mx [31m\ty\n z|[ a]| a");
  assert.equal(fill("{{json .A}}", { A: "\u001b" }), '"\\u001b"');
});
