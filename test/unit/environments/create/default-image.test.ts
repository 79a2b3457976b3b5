import assert from 'node:assert/strict'
import {test} from 'node:test'
import {imageOfHost} from '../../../../src/environments/create/request.js'

for (const [id, codename, image] of [
  ['ubuntu', 'noble', 'ubuntu:noble'],
  ['debian', 'trixie', 'debian:trixie'],
  ['debian', undefined, 'ubuntu'],
  ['fedora', 'x', 'ubuntu'],
  ['ubuntu', '../noble', 'ubuntu'],
  [undefined, undefined, 'ubuntu'],
] as const) {
  test(`a host that says ${id} ${codename} gets ${image}`, () => {
    assert.equal(imageOfHost({id, codename}), image)
  })
}
