import assert from 'node:assert/strict'
import {test} from 'node:test'
import {causeOf, chooseExplanation} from '../../../../src/environments/doctor/explain-start.js'
import {
  engineInForce,
  judgeEngines,
  judgeOverlay,
  judgeRemains,
  soften,
} from '../../../../src/environments/doctor/report.js'
import {fail, type NamedCheck, pass, warn} from '../../../../src/host/check.js'
import {parseEnvironmentName} from '../../../../src/store/environments.js'

const TWO = {hasSecondNamespace: true, hasProot: true}

const ALL = {bwrap: true, unshare: true, proot: true}
const TROUBLE = {evidence: 'seen', cost: 'cost', remedy: 'remedy'}
const failed = (id: NamedCheck) => fail(id, TROUBLE)

test('the best engine that works is in force, and no other than the one that is asked for', () => {
  assert.equal(engineInForce(ALL, 'auto'), 'bwrap')
  assert.equal(engineInForce({...ALL, bwrap: false}, 'auto'), 'unshare')
  assert.equal(engineInForce(ALL, 'proot'), 'proot')
  assert.equal(engineInForce({...ALL, bwrap: false}, 'bwrap'), undefined)
})

test('proot alone is a warning, nothing at all a failure', () => {
  const statuses = [
    ALL,
    {...ALL, bwrap: false, unshare: false},
    {bwrap: false, unshare: false, proot: false},
  ].map((verdicts) => judgeEngines(verdicts, 'auto', TWO).status)
  assert.deepEqual(statuses, ['pass', 'warn', 'fail'])
})

test('what keeps one engine from working is no failure where another works', () => {
  const withUnshare = {engine: 'unshare', hasLayers: false} as const
  const softened = soften(failed('bubblewrap'), withUnshare)
  assert.deepEqual(
    [softened.status, softened.cost],
    ['warn', 'Environments are started with unshare instead.'],
  )
  assert.equal(
    soften(failed('user-namespaces'), withUnshare).cost,
    'Environments are started with unshare, which works all the same.',
  )
  assert.equal(soften(failed('bubblewrap'), {engine: undefined, hasLayers: false}).status, 'fail')
  assert.equal(soften(failed('disk'), withUnshare).status, 'fail')
})

test('a store that lets nothing be executed is no failure where layers are mounted', () => {
  const status = (hasLayers: boolean) => soften(failed('execution'), {engine: 'bwrap', hasLayers}).status
  assert.deepEqual([status(true), status(false)], ['warn', 'fail'])
})

test('layers that can not be had are a warning with the reason', () => {
  assert.equal(judgeOverlay({engine: 'bwrap', way: 'engine', obstacle: undefined}).status, 'pass')
  const {status, evidence} = judgeOverlay({engine: 'bwrap', way: undefined, obstacle: 'EROFS'})
  assert.deepEqual([status, evidence], ['warn', 'A trial mount failed: EROFS.'])
})

test('what is left behind is told with the processes that hold it', () => {
  const name = parseEnvironmentName('play')
  assert.equal(judgeRemains({folders: 0, layers: 0, orphans: []}).status, 'pass')
  assert.equal(
    judgeRemains({folders: 2, layers: 1, orphans: [{name, holders: [{pid: 41, command: 'bwrap'}]}]}).evidence,
    '2 incomplete folders; 1 unused layers; process 41 holds the lock of play, whose first process has ended.',
  )
})

test('a failed start is explained by what fails, before what is merely less well', () => {
  const checks = [warn('disk', TROUBLE), pass('kernel', ''), failed('execution'), failed('launcher')]
  assert.equal(chooseExplanation(checks, 'emulated')?.id, 'execution')
  assert.equal(chooseExplanation(checks.slice(0, 2), 'emulated')?.id, 'disk')
  assert.equal(chooseExplanation([pass('kernel', '')], 'emulated'), undefined)
})

test('an engine that does not work is explained by a warning of AppArmor too, and by no other warning', () => {
  assert.equal(causeOf([warn('apparmor', TROUBLE), warn('disk', TROUBLE)])?.id, 'apparmor')
  assert.equal(causeOf([warn('apparmor', TROUBLE), failed('kernel')])?.id, 'kernel')
  assert.equal(causeOf([warn('disk', TROUBLE)]), undefined)
})

test('a failed start of a mapped environment may be explained by ids that are gone', () => {
  const checks = [warn('subordinate-ids', TROUBLE), warn('disk', TROUBLE)]
  assert.equal(chooseExplanation(checks, 'mapped')?.id, 'subordinate-ids')
  assert.equal(chooseExplanation(checks, 'emulated')?.id, 'disk')
})
