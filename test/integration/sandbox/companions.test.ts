import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {takeLock} from '../../../src/host/locks.js'
import {processStartTime} from '../../../src/host/machine/proc.js'
import {startAnchor} from '../../../src/sandbox/anchor.js'
import {type Anchor, anchorFiles, readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {anchorEngine} from '../../../src/sandbox/engines/select.js'
import {namespacePrefix} from '../../../src/sandbox/identity.js'
import {filterSets} from '../../../src/sandbox/seccomp/rules.js'
import {baseSpec, type Companion, type OpenCompanion} from '../../../src/sandbox/spec.js'
import {temporaryFolder} from '../../support/temporary-folder.js'
import {waitUntil} from '../../support/wait-until.js'

const HOST = openHost()

/** Starts a sandbox that shows the host's tree, with these companions. */
async function startWith(
  t: TestContext,
  companions: (runFolder: string) => readonly Companion[],
): Promise<Anchor> {
  const runFolder = await temporaryFolder(t)
  const spec = baseSpec({
    root: {kind: 'bind', from: '/', at: '/', access: 'ro'},
    hostname: 'play',
    filterSets: filterSets('emulated'),
    architecture: HOST.architecture,
    userNamespace: {guest: 'only', prefix: await namespacePrefix('emulated', HOST)},
  })
  const liveness = await takeLock(anchorFiles(runFolder).liveness, {mode: 'exclusive', waitMs: 0})
  assert.ok(liveness)
  try {
    return await startAnchor(
      {
        name: 'play',
        engine: anchorEngine(HOST, 'unshare'),
        runFolder,
        spec: {...spec, companions: companions(runFolder)},
        holder: 'echo ready >&4; exec sleep 300',
      },
      liveness,
    )
  } finally {
    liveness.release()
  }
}

function companion(open: OpenCompanion): Companion {
  return {prepare: () => [], open: () => open}
}

test('a companion is started when the environment is ready, and before others can join it', async (t) => {
  const calls: string[] = []
  let pid: number | undefined
  const anchor = await startWith(t, (runFolder) => [
    {
      prepare: () => [`${runFolder}/fifo`],
      open() {
        calls.push(existsSync(`${runFolder}/fifo`) ? 'open' : 'open without its FIFO')
        return {
          launched: () => void calls.push('launched'),
          async started(ready) {
            pid = ready.pid
            calls.push(readLiveAnchor(runFolder) === undefined ? 'started' : 'started late')
          },
          close: () => void calls.push('closed'),
        }
      },
    },
  ])
  process.kill(anchor.pid, 'SIGKILL')
  assert.equal(pid, anchor.pid)
  assert.deepEqual(calls, ['open', 'launched', 'started', 'closed'])
})

test('an environment whose companion fails to start is ended, and the failure is told', async (t) => {
  const failure = new Error('no network')
  let pid = 0
  const failing = companion({
    async started(ready) {
      pid = ready.pid
      throw failure
    },
    close() {},
  })
  await assert.rejects(
    startWith(t, () => [failing]),
    failure,
  )
  await waitUntil('the end of the first process', () => processStartTime(pid) === undefined)
})

test('an environment does without a companion that can not be opened', async (t) => {
  const anchor = await startWith(t, () => [{prepare: () => [], open: () => undefined}])
  process.kill(anchor.pid, 'SIGKILL')
})
