import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {chmod, lstat, mkdir, readFile, rm, symlink, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {startPackageArchive, useArchive} from '../../support/package-archive.js'

const DOWNLOAD = 'apt-get clean; apt-get -qq install -y --download-only sample'
const DOWNLOADED = '/var/cache/apt/archives/sample_1_all.deb'

/** What another environment can leave under the name of a package; `right` is a file with its bytes. */
const PLANTED: readonly (readonly [string, (path: string, right: string) => Promise<unknown>])[] = [
  ['other bytes, as many', async (path, right) => writeFile(path, (await readFile(right)).reverse())],
  ['fewer bytes', async (path, right) => writeFile(path, (await readFile(right)).subarray(1))],
  ['a byte more', async (path, right) => writeFile(path, Buffer.concat([await readFile(right), NUL]))],
  ['nothing', (path) => writeFile(path, '')],
  ['a file without end', (path) => writeFile(path, '').then(() => truncate(path, 2 ** 40))],
  ['a link to the right bytes', (path) => symlink('/root/right', path)],
  ['a link to itself', (path) => symlink(path, path)],
  ['a FIFO', (path) => capture(['mkfifo', path])],
  ['a folder', (path) => mkdir(join(path, 'inside'), {recursive: true})],
  ['a file nobody may read', (path) => writeFile(path, 'x').then(() => chmod(path, 0))],
]
const NUL = Buffer.alloc(1)

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  for (const [what, plant] of PLANTED) {
    test(`${identity}: ${what} in the place of a package is not taken for it`, {skip}, async (t) => {
      const {guest, archive, path} = await given(t)
      const {bytes, sha256} = archive.package('sample')
      const right = join(guest.root, 'root/right')
      await writeFile(right, bytes)
      await plant(path, right)
      const ran = await guest.sh(`${DOWNLOAD} && sha256sum <${DOWNLOADED}`)
      assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, `${sha256}  -\n`, ''])
      assert.deepEqual(archive.fetched, ['sample'])
      assert.equal(digestOf(await readFile(right)), sha256)
      const status = await lstat(path)
      if (!status.isDirectory()) assert.deepEqual([status.isFile(), status.size], [true, bytes.length])
    })
  }

  test(`${identity}: a file that changes all the time is never taken with the wrong bytes`, {
    skip,
  }, async (t) => {
    const {guest, archive, path} = await given(t)
    const {bytes, sha256} = archive.package('sample')
    await writeFile(path, bytes)
    // In place and by rename, right and wrong by turns.
    const change = `cp $1 /root/right; while [ ! -e /root/enough ]; do printf x | dd of=$1 conv=notrunc status=none
      cp /root/right /run/envs/packages/other; mv /run/envs/packages/other $1; done`
    const rounds = `for round in 1 2 3 4 5 6 7 8; do ${DOWNLOAD}; sha256sum <${DOWNLOADED}; done`
    const script = `rm -f /root/enough; (${change}) & ${rounds}; touch /root/enough; wait`
    const ran = await guest.run('sh', '-c', script, 'sh', `/run/envs/packages/${sha256}`)
    assert.deepEqual([ran.stdout, ran.stderr], [`${sha256}  -\n`.repeat(8), ''])
  })

  test(`${identity}: the folder itself opens no way to others of the host`, {skip}, async (t) => {
    const {guest, path} = await given(t)
    const ran = await guest.sh(
      'cd /run/envs/packages && cp /bin/true run-me && chmod 4755 run-me && chmod 777 .',
    )
    assert.equal(ran.status, 0, ran.stderr)
    const above = await lstat(join(path, '../..'))
    assert.equal(above.mode & 0o777, 0o700)
  })

  /** The guest, whose APT knows one package, and the place on the host where its copy is kept; nothing is there. */
  async function given(t: TestContext) {
    const guest = await play()
    const archive = await startPackageArchive(t, ['sample'])
    const ran = await guest.sh(useArchive(archive))
    assert.equal(ran.status, 0, ran.stderr)
    const path = join(guest.cli.home, 'cache/envs/packages/sha256', archive.package('sample').sha256)
    t.after(() => rm(path, {force: true, recursive: true}))
    return {guest, archive, path}
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
