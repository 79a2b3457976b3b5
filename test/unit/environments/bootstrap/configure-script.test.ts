import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readConfigureLine} from '../../../../src/environments/bootstrap/configure.js'

for (const [line, meant] of [
  ['status: libc6:amd64: installed', {kind: 'installed', name: 'libc6'}],
  ['status: apt: installed', {kind: 'installed', name: 'apt'}],
  ['status: apt: half-configured', undefined],
  ['processing: configure: apt', undefined],
  ['end 0', {kind: 'end', hasSucceeded: true}],
  ['end 1', {kind: 'end', hasSucceeded: false}],
  ['status: ../x: installed', undefined],
] as const) {
  test(`reads ${JSON.stringify(line)}`, () => assert.deepEqual(readConfigureLine(line), meant))
}
