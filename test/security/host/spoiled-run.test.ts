// Starts first, because it takes minutes, and would be alone at the end.
import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import type {Identity} from '../../../src/sandbox/identity.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'

const noMapped = await whyNotMapped()

/** Files of the run-time folder: those that a guest's root has a descriptor of, and all the rest. */
const NAMES = ['anchor.lock', 'anchor.json', 'anchor.log', 'bwrap-info.json', 'join', 'hold', 'history.lock']

/** Commands after which the environment may be up, and that its folder must not be spoiled below. */
const STARTS = ['run', 'snapshot']

/** Scripts in the run-time folder of an environment that is down. */
const SPOILED: readonly (readonly [string, string])[] = [
  ['files that nobody may open', `touch ${NAMES.join(' ')}; chmod 000 ${NAMES.join(' ')}`],
  ['FIFOs in the place of files', `rm -rf ${NAMES.join(' ')}; mkfifo ${NAMES.join(' ')} memory.x`],
  [
    'folders in the place of files',
    `rm -rf ${NAMES.join(' ')}; mkdir -p ${NAMES.map((name) => `${name}/x`).join(' ')}`,
  ],
  [
    'links in the place of files',
    `rm -rf ${NAMES.join(' ')}; for n in ${NAMES.join(' ')}; do ln -s "$1" $n; done`,
  ],
  [
    'huge files',
    `for n in anchor.json anchor.log bwrap-info.json join memory.x; do truncate -s 100G $n; done`,
  ],
  ['a folder for the guest that nobody may enter', 'mkdir -p resolver; chmod 000 resolver'],
  ['a file in the place of the folder for the guest', 'rm -rf resolver; : >resolver'],
  ['a folder that nobody may enter', 'chmod 000 .'],
  ['a lock that nobody may open', 'chmod 000 ../../../locks/bad.lock'],
  ['a folder in the place of its lock', 'rm -rf ../../../locks/bad.lock; mkdir ../../../locks/bad.lock'],
  ['a file in its own place', 'cd ..; rm -rf run; : >run'],
  ['a link in its own place', 'cd ..; rm -rf run; ln -s "$1" run'],
]

/** What a guest's root gives away: it has all of these ids. */
const GIVEN_AWAY: readonly (readonly [string, string])[] = [
  [
    'files of another owner',
    `touch ${NAMES.join(' ')}; chown 5:5 ${NAMES.join(' ')}; chmod 600 ${NAMES.join(' ')}`,
  ],
  [
    'a folder for the guest of another owner',
    'mkdir -p resolver/x; chown -R 5:5 resolver; chmod 700 resolver',
  ],
  ['a lock of another owner', 'touch ../../../locks/bad.lock; chown 5:5 ../../../locks/bad.lock'],
  ['a run-time folder of another owner', 'chown -R 5:5 .; chmod 700 .'],
]

for (const [what, script] of SPOILED) spoiledTest(what, script, [])
for (const [what, script] of GIVEN_AWAY)
  spoiledTest(what, script, ['unshare', '--map-auto', '--map-root-user', '--'], noMapped)

function spoiledTest(what: string, script: string, behind: readonly string[], skip?: string): void {
  const options = skip === undefined ? {} : {skip}
  test(`${what}: others are looked after, and the environment is used and removed`, options, async () => {
    const cli = await givenTwo(behind.length === 0 ? 'emulated' : 'mapped')
    const spoil = async () => {
      const run = join(cli.store, 'bad', 'run')
      const spoiled = await capture([
        ...behind,
        'sh',
        '-ec',
        `mkdir -p "$2"; cd "$2"; ${script}`,
        'sh',
        cli.home,
        run,
      ])
      assert.equal(spoiled.status, 0, spoiled.stderr)
    }
    for (const words of [
      ['list'],
      ['doctor', '--repair'],
      ['prune', '--yes', '--older-than', '0h'],
      ['ps'],
      ['run', 'good', 'true'],
      ['show', 'bad'],
      ['stop', 'bad'],
      ['run', 'bad', 'true'],
      ['snapshot', 'bad'],
    ]) {
      await spoil()
      const ran = await cli.run(...words)
      assert.deepEqual(
        [words.join(' '), ran.status, ran.stderr.match(/^envs: .*/m)?.[0]],
        [words.join(' '), 0, undefined],
      )
      if (STARTS.includes(words[0] ?? '')) await cli.run('stop', 'bad')
    }
    await spoil()
    const removed = await cli.run('rm', '--force', 'bad')
    assert.deepEqual([removed.status, await cli.storeEntries()], [0, ['good']], removed.stderr)
    // What was put in the place of its lock is not of the environment, and the next test begins without it.
    await capture([...behind, 'rm', '-rf', join(cli.data, 'locks/bad.lock')])
  })
}

type Pair = {readonly cli: EnvironmentCli; readonly rootfs: string}

const scope = fileScope()
const made = new Map<Identity, Promise<Pair>>()

/** Two that have been up, and are down. The good one serves all tests of an identity. */
async function givenTwo(identity: Identity): Promise<EnvironmentCli> {
  const pair = made.get(identity) ?? makePair(identity)
  made.set(identity, pair)
  const {cli, rootfs} = await pair
  await makeUsed(cli, {name: 'bad', rootfs, identity})
  return cli
}

async function makePair(identity: Identity): Promise<Pair> {
  const cli = await environmentCli(scope)
  const rootfs = await runnableRootfs(cli.home)
  await makeUsed(cli, {name: 'good', rootfs, identity})
  return {cli, rootfs}
}

async function makeUsed(
  cli: EnvironmentCli,
  {name, rootfs, identity}: {name: string; rootfs: string; identity: Identity},
): Promise<void> {
  const created = await cli.run('create', rootfs, '--name', name, '--identity', identity, '--quiet')
  assert.equal(created.status, 0, created.stderr)
  const ran = await cli.run('run', name, 'true')
  assert.equal(ran.status, 0, ran.stderr)
  assert.equal((await cli.run('snapshot', name)).status, 0)
  await cli.run('stop', name)
}
