import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {unlessErrno} from '../../../src/host/errno.js'
import {templatePath} from '../../../src/host/paths.js'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import type {Guest} from '../../support/guest.js'
import {scriptedGuest, WHY_NO_BOOT} from '../../support/scripted-init.js'
import {servicesGuest} from '../../support/services-guest.js'
import {waitUntil} from '../../support/wait-until.js'

type Attendant = {readonly pid: number; ended(): Promise<number | null>}

/** The main process of a unit of `envs autostart`, as soon as it waits for the end of the environment. */
async function attend({cli, state}: Guest): Promise<Attendant> {
  const program = templatePath('host/attend.pl')
  const child = spawn('perl', [program, cli.words[0], 'play', state], {env: cli.env, stdio: 'ignore'})
  const exit = once(child, 'exit')
  const {pid = 0} = child
  await waitUntil('a wait for the lock', () => child.exitCode !== null || isOpen(pid, 'anchor.lock'))
  return {pid, ended: async () => (await exit)[0]}
}

function isOpen(pid: number, file: string): boolean {
  const folder = `/proc/${pid}/fd`
  const open = unlessErrno(() => readdirSync(folder).map((fd) => readlinkSync(join(folder, fd))))
  return open?.some((path) => path.endsWith(`/${file}`)) === true
}

function firstProcess({state}: Guest): number {
  const anchor = readLiveAnchor(state)
  assert.ok(anchor)
  return anchor.pid
}

function killFirst(guest: Guest): void {
  process.kill(firstProcess(guest), 'SIGKILL')
}

/** A first process that does not end by its signal. */
async function killByEnvs({sh, cli}: Guest): Promise<void> {
  await sh(': >/run/deaf')
  assert.equal((await cli.run('stop', '--force', 'play')).status, 0)
}

function killKeeper(guest: Guest): void {
  const status = readFileSync(`/proc/${firstProcess(guest)}/status`, 'utf8')
  process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), 'SIGKILL')
}

type Case = readonly [what: string, end: (guest: Guest, attendant: Attendant) => unknown, status: number]

const FROM_OUTSIDE: readonly Case[] = [
  ['its first process is killed', killFirst, 137],
  ['envs stops it', ({cli}) => cli.run('stop', 'play'), 0],
  ['envs kills it', killByEnvs, 0],
  // The word of the stop before is not of this one.
  ['its first process is killed after that', killFirst, 137],
  ['the attendant is to stop it', (_, {pid}) => process.kill(pid, 'SIGTERM'), 0],
]

const INITS: readonly (readonly [
  init: string,
  play: () => Promise<Guest>,
  skip: string | false,
  cases: readonly Case[],
])[] = [
  [
    'services',
    servicesGuest('emulated', {}),
    false,
    [
      ...FROM_OUTSIDE,
      ['it is powered off', ({sh}) => sh('systemctl poweroff'), 0],
      ['it reboots', ({sh}) => sh('systemctl reboot'), 133],
      ['it exits', ({sh}) => sh('systemctl exit 7'), 7],
    ],
  ],
  [
    'systemd',
    scriptedGuest(),
    WHY_NO_BOOT,
    [
      ...FROM_OUTSIDE,
      ['its keeper is killed', killKeeper, 137],
      ['it exits', ({sh}) => sh('kill -USR1 1'), 7],
    ],
  ],
]

for (const [init, play, skip, cases] of INITS)
  for (const [what, end, status] of cases)
    test(`init=${init}: the unit that attends an environment ends with ${status} when ${what}`, {
      skip,
    }, async () => {
      const guest = await play()
      const attendant = await attend(guest)
      await end(guest, attendant)
      assert.equal(await attendant.ended(), status)
      await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
    })
