import assert from 'node:assert/strict'
import {test} from 'node:test'
import {formatReference, parseRegistryReference} from '../../../src/registry/reference.js'

const DIGEST = `sha256:${'a'.repeat(64)}`

for (const [text, whole] of [
  ['debian', 'docker.io/library/debian'],
  ['debian:12', 'docker.io/library/debian:12'],
  ['owner/tool', 'docker.io/owner/tool'],
  ['docker.io/debian', 'docker.io/library/debian'],
  ['index.docker.io/library/debian', 'docker.io/library/debian'],
  ['registry-1.docker.io/owner/tool', 'docker.io/owner/tool'],
  ['ghcr.io/owner/tool:1.2', 'ghcr.io/owner/tool:1.2'],
  ['GHCR.io/owner/tool', 'ghcr.io/owner/tool'],
  ['localhost/tool', 'localhost/tool'],
  ['localhost:5000/tool', 'localhost:5000/tool'],
  ['host:5000/a/b/c:tag', 'host:5000/a/b/c:tag'],
  ['[::1]:5000/tool', '[::1]:5000/tool'],
  [`quay.io/x/y@${DIGEST}`, `quay.io/x/y@${DIGEST}`],
  [`quay.io/x/y:1@${DIGEST}`, `quay.io/x/y:1@${DIGEST}`],
  ['a__b/c-d/e.f', 'docker.io/a__b/c-d/e.f'],
] as const) {
  test(`${text} is ${whole}`, () => {
    assert.equal(formatReference(parseRegistryReference(text)), whole)
  })
}

for (const text of [
  '',
  ':tag',
  '@',
  'a:',
  'a@sha256:abc',
  `a@${DIGEST}@${DIGEST}`,
  `a@sha512:${'a'.repeat(128)}`,
  'a//b',
  '/a',
  'a/',
  'a/../b',
  'quay.io/a/./b',
  'quay.io/-a',
  'quay.io/a_',
  'quay.io/a___b',
  'quay.io/a b',
  'quay.io/a?b',
  'quay.io/a%2fb',
  'user@quay.io/a',
  'quay.io:port/a',
  'quay.io:99999/a',
  '-x.io/a',
  'a:b:c',
  'a:-tag',
  `a:${'t'.repeat(129)}`,
  `quay.io/${'a'.repeat(250)}`,
  'docker://debian',
  'debian\n',
  'débian',
]) {
  test(`${JSON.stringify(text.slice(0, 40))} is no reference`, () => {
    assert.throws(() => parseRegistryReference(text), {code: 'ENVS_BAD_REFERENCE', exitCode: 2})
  })
}

test('a name in upper case is corrected', () => {
  assert.throws(() => parseRegistryReference('ghcr.io/Owner/Tool:1'), {
    message:
      '"ghcr.io/Owner/Tool:1" is not the name of an image in a registry: "Owner/Tool" is not the name of a repository.',
    suggestions: [
      'Names of repositories are in lower case: ghcr.io/owner/tool:1',
      'Write HOST/NAME:TAG, such as docker.io/library/debian:12 or ghcr.io/owner/tool:1.2',
    ],
  })
})
