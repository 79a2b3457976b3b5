import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Ran} from '../../../hosts/dialogue.js'
import {rowOf} from '../../../hosts/row.js'
import type {Trial} from '../../../hosts/trials.js'

const ran = (status: number, stdout: unknown = '', stderr = ''): Ran => ({
  status,
  stdout: typeof stdout === 'string' ? stdout : JSON.stringify(stdout),
  stderr,
})

function trial(steps: Readonly<Record<string, Ran>>, log = ''): Trial {
  return {
    ...{scene: 'shipped', account: 'u', engine: 'auto', seconds: 40},
    ...{steps: new Map(Object.entries(steps)), log},
  }
}

const error = (code: string, message: string) => ({
  error: {code, message, suggestions: ['Run it again.', 'Or envs doctor']},
})

test('a trial that succeeds has the status of each step, the engine, the identity and the storage', () => {
  const {cells} = rowOf(
    'noble',
    trial({
      doctor: ran(0, {engine: 'bwrap', checks: [{id: 'engine', status: 'pass'}], ticket: null}),
      create: ran(0, {identity: 'mapped', storage: 'overlay'}),
      run: ran(0, 'unconfined\n'),
      apt: ran(0, 'Reading package lists...\nenvs-trial\n'),
    }),
  )
  assert.deepEqual(cells, {
    ...{doctor: '0 bwrap', checks: '-', ticket: '-', create: '0 mapped overlay', run: '0', apt: '0'},
    ...{
      undo: '-',
      clone: '-',
      export: '-',
      guest: '-',
      rm: '-',
      label: 'unconfined',
      log: '-',
      words: '-',
      remedies: '-',
    },
  })
})

test('a failed step has the code of its error, and its message once', () => {
  const failed = ran(7, error('ENVS_TREE_FAILED', 'The program ended  early,\nwith PID 812.'))
  const {cells} = rowOf('noble', trial({clone: failed, export: failed, rm: ran(0)}))
  assert.equal(cells.clone, '7 ENVS_TREE_FAILED')
  assert.equal(cells.words, 'clone, export: The program ended early, with PID ….')
  assert.equal(cells.remedies, 'clone, export: Run it again. / Or envs doctor')
})

test('a session that does not start tells its message on standard error, below the warnings', () => {
  const stderr = 'envs: warning: no second namespace.\nenvs: Could not start "t": no.\n  Run envs doctor.\n'
  assert.equal(
    rowOf('noble', trial({run: ran(125, '', stderr)})).cells.words,
    'run: Could not start "t": no.',
  )
})

test('a program that envs did not write tells its last line', () => {
  const {cells} = rowOf('noble', trial({guest: ran(127, '', 'sh: 1: hostname: not found\n')}))
  assert.equal(cells.guest, '127')
  assert.equal(cells.words, 'guest: sh: 1: hostname: not found')
})

test('checks that did not pass are named, without those that need a network', () => {
  const checks = [
    {id: 'engine', status: 'fail'},
    {id: 'apparmor', status: 'fail'},
    {id: 'subordinate-ids', status: 'warn'},
    {id: 'mirrors', status: 'warn'},
    {id: 'clock', status: 'warn'},
    {id: 'proc', status: 'pass'},
  ]
  const {cells} = rowOf('noble', trial({doctor: ran(7, {engine: null, checks, ticket: null})}))
  assert.equal(cells.doctor, '7')
  assert.equal(cells.checks, 'fail: engine, apparmor; warn: subordinate-ids')
})

test('the programs that the ticket gives rights to are named, and the profiles that it takes away', () => {
  const steps = [
    'ln -s ../bwrap-userns-restrict /etc/apparmor.d/disable/bwrap-userns-restrict',
    "cat >/etc/apparmor.d/envs <<'EOF'\nprofile envs.usr.bin.unshare /usr/bin/unshare flags=(unconfined) {\n  userns,\n}\nEOF",
  ]
  const ticket = {requests: [{check: 'apparmor', steps}]}
  const {cells} = rowOf('resolute', trial({doctor: ran(0, {engine: 'bwrap', checks: [], ticket})}))
  assert.equal(cells.ticket, '/usr/bin/unshare, without bwrap-userns-restrict')
})

test('complaints of overlayfs are named, denials of AppArmor are not', () => {
  const log = [
    '[   40.1] overlayfs: unrecognized mount option "userxattr" or missing value',
    '[   41.2] overlayfs: unrecognized mount option "userxattr" or missing value',
    "[   41.8] overlayfs: fs on 'm10a57728/tree' does not support file handles",
    "[   41.9] overlayfs: fs on 'm35899458/tree' does not support file handles",
    '[   42.0] audit: type=1400 apparmor="DENIED" operation="capable"',
  ].join('\n')
  assert.equal(
    rowOf('focal', trial({}, log)).cells.log,
    `overlayfs: unrecognized mount option "userxattr" or missing value | overlayfs: fs on '…' does not support file handles`,
  )
})
