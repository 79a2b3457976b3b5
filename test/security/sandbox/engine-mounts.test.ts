import assert from 'node:assert/strict'
import {mkdir, readdir, rm, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {takeLock} from '../../../src/host/locks.js'
import {requirePerl, scriptWords} from '../../../src/host/process.js'
import {startAnchor} from '../../../src/sandbox/anchor.js'
import {anchorFiles} from '../../../src/sandbox/anchor-state.js'
import {unshareEngine} from '../../../src/sandbox/engines/unshare.js'
import {namespacePrefix} from '../../../src/sandbox/identity.js'
import {MOUNT_POINTS, plainRoot, RESOLVER_MOUNT_POINT} from '../../../src/sandbox/mounts.js'
import {filterSets} from '../../../src/sandbox/seccomp/rules.js'
import {baseSpec} from '../../../src/sandbox/spec.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const HOST = openHost()

/** A tree with the folders that are mounted on, a folder outside of it, and a start of it past all checks of the host's side. */
async function hostileTree(t: TestContext) {
  const folder = await temporaryFolder(t)
  const [root, outside, runFolder] = ['root', 'outside', 'run'].map((name) => join(folder, name))
  assert.ok(root && outside && runFolder)
  for (const each of [outside, join(runFolder, 'resolver', 'packages')]) await mkdir(each, {recursive: true})
  for (const each of MOUNT_POINTS) await mkdir(join(root, each), {recursive: true})
  const launcher = scriptWords(requirePerl(HOST), 'anchor')
  const spec = baseSpec({
    root: plainRoot(root),
    hostname: 'play',
    filterSets: filterSets('emulated'),
    architecture: HOST.architecture,
    userNamespace: {guest: 'only', prefix: await namespacePrefix('emulated', HOST)},
  })
  const from = join(runFolder, 'resolver')
  const resolver = {kind: 'bind', from, at: RESOLVER_MOUNT_POINT, access: 'ro'} as const
  const start = async () => {
    const liveness = await takeLock(anchorFiles(runFolder).liveness, {mode: 'exclusive', waitMs: 0})
    assert.ok(liveness)
    try {
      return await startAnchor(
        {
          name: 'play',
          engine: unshareEngine({launcher, keeper: [], secondNamespace: () => []}),
          runFolder,
          spec: {...spec, mounts: [...spec.mounts, resolver]},
        },
        liveness,
      )
    } finally {
      liveness.release()
    }
  }
  return {root, outside, start}
}

for (const place of ['dev', 'proc', 'sys', 'run', 'run/envs']) {
  for (const what of ['a link to a folder of the host', 'a link within the tree', 'a file'] as const) {
    test(`${what} in place of /${place} is not mounted on, nor followed`, async (t) => {
      const {root, outside, start} = await hostileTree(t)
      const path = join(root, place)
      await rm(path, {recursive: true})
      await mkdir(join(root, 'elsewhere', 'envs'), {recursive: true})
      if (what === 'a file') await writeFile(path, '')
      else await symlink(what === 'a link within the tree' ? '/elsewhere' : outside, path)
      await assert.rejects(start(), (error: Error) => {
        assert.ok('code' in error)
        assert.equal(error.code, 'ENVS_START_FAILED')
        assert.match(error.message, new RegExp(`/${place}`))
        return true
      })
      assert.deepEqual(await readdir(outside), [])
      assert.deepEqual(await readdir(join(root, 'elsewhere')), ['envs'])
    })
  }
}

test('a tree without a shell is told of, and leaves nothing behind', async (t) => {
  const {root, start} = await hostileTree(t)
  await assert.rejects(start(), {
    code: 'ENVS_START_FAILED',
    message: /\/bin\/sh: No such file or directory/,
  })
  assert.deepEqual((await readdir(root)).sort(), ['dev', 'proc', 'run', 'sys'])
  assert.deepEqual(await readdir(join(root, 'dev')), [])
})
