import assert from 'node:assert/strict'
import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {quoted, sharedGuest} from '../../support/guest.js'
import {anchorOf, stopped} from '../../support/running-session.js'

const play = sharedGuest('emulated')

const NEXT_STEP = '  End some of your programs, or raise the limit. To see the limits: ulimit -a\n'
const FILES = (limit: number) => `${limit} open files of a process (ulimit -n)`
const PROCESSES = '1 processes and threads (ulimit -u)'

for (const [what, limit, words] of [
  ['too few descriptors for Node', 'ulimit -n 20', FILES(20)],
  ['too few descriptors for a start', 'ulimit -n 40', FILES(40)],
  ['no process left', 'ulimit -u 1', PROCESSES],
  ['too little memory for Node', 'ulimit -v 400000', '400000 KiB of memory (ulimit -v)'],
] as const) {
  test(`${what}: a start is refused by the name of the limit`, async () => {
    const {onHost, cli} = await stopped(play)
    const {status, stderr} = await onHost(`${limit}; exec ${quoted(cli.words)} run play echo ok`)
    assert.deepEqual(
      [status, stderr],
      [125, `envs: A limit of this account is reached: ${words}.\n${NEXT_STEP}`],
    )
    assert.doesNotMatch(readIfPresent(join(cli.env['XDG_CACHE_HOME'] ?? '', 'envs/engines.json')), /fails/)
  })
}

for (const [what, limit, words] of [
  ['too few descriptors', 'ulimit -n 20', FILES(20)],
  ['no process left', 'ulimit -u 1', PROCESSES],
] as const) {
  test(`${what}: a command without a session is refused by the name of the limit`, async () => {
    const {onHost, cli} = await play()
    const {status, stderr} = await onHost(`${limit}; exec ${quoted(cli.words)} list`)
    assert.deepEqual(
      [status, stderr],
      [7, `envs: A limit of this account is reached: ${words}.\n${NEXT_STEP}`],
    )
  })
}

test('64 descriptors are enough for a start, 20 for a running environment', async () => {
  const {onHost, sh, ...guest} = await stopped(play)
  const cold = await onHost('ulimit -n 64; envs run --user root play echo ok')
  assert.deepEqual([cold.stdout, cold.stderr], ['ok\n', ''])
  await sh('exec sleep 600 >/dev/null 2>&1 &')
  assert.ok(anchorOf({onHost, sh, ...guest}))
  const warm = await onHost('ulimit -n 20; envs run play echo ok')
  assert.deepEqual([warm.stdout, warm.stderr], ['ok\n', ''])
})

function readIfPresent(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
