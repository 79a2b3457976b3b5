import assert from 'node:assert/strict'
import {lstat} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {subordinateRanges} from '../../../src/host/id-mapping.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {oldUnshare} from '../../support/old-unshare.js'

const whyMapped = await whyNotMapped()

test('a mapped environment of a host with util-linux 2.37 is the same after an upgrade', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await plainCli(t)
  const env = {PATH: `${await oldUnshare(t)}:${cli.env['PATH']}`}
  const old = (...argv: string[]) => cli.runWith({env}, ...argv)

  const made = await old('create', await debianRootfs(), '--name', 'play', '--json')
  assert.equal(JSON.parse(made.stdout).identity, 'mapped', made.stderr)

  const script = 'stat -c "%U:%G" /var/mail; su -s /bin/sh games -c "id -u; touch /tmp/of-games"'
  const ran = await old('run', 'play', '--', 'sh', '-c', script)
  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, 'root:mail\n5\n', ''])
  const {uid} = await lstat(join(cli.root('play'), 'tmp/of-games'))
  assert.equal(uid, (await firstSubordinateUid()) + 5 - 1)
  assert.equal((await old('stop', 'play')).status, 0)

  const upgraded = await cli.run('run', 'play', 'stat', '-c', '%U:%G', '/var/mail', '/tmp/of-games')
  assert.equal(upgraded.stdout, 'root:mail\ngames:games\n')
  assert.equal((await cli.run('stop', 'play')).status, 0)

  assert.equal((await old('rm', 'play')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

async function firstSubordinateUid(): Promise<number> {
  const ranges = await subordinateRanges(openHost())
  assert.ok(ranges)
  return ranges.uids.start
}
