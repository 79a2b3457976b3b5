import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {gunzipSync, gzipSync} from 'node:zlib'
import {environmentCli} from '../../support/environment-cli.js'
import {IDENTITIES} from '../../support/guest.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {paxHeader, tarArchive, tarMember} from '../../support/tar-archive.js'

/** cap_net_raw, permitted and effective; linux/capability.h, vfs_cap_data. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1')
/** Its bit among the capabilities of a process. @see proc_pid_status(5) */
const NET_RAW_BIT = 1n << 13n
/** Run by root, the guest's mounts are nosuid for good: docs/decisions/0011-the-hosts-root.md. */
const COUNTS_HERE = process.getuid?.() !== 0

for (const {identity, skip} of IDENTITIES) {
  test(`a program has the capabilities of the archive when another user runs it, ${identity}`, {
    skip,
  }, async (t) => {
    const cli = await environmentCli(t)
    const archive = join(cli.home, 'play.tar.gz')
    await writeFile(archive, gzipSync(await withCapablePrograms(cli.home), {level: 1}))
    const made = await cli.run('create', archive, '--identity', identity, '--quiet')
    assert.equal(made.status, 0, made.stderr)
    const effective = async (program: string) => {
      const run = await cli.run('run', '--user', 'nobody', 'play', program, '/proc/self/status')
      assert.equal(run.status, 0, run.stderr)
      return BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(run.stdout)?.[1]}`)
    }
    assert.equal(await effective('/usr/local/bin/plain'), 0n)
    assert.equal(await effective('/usr/local/bin/capable'), COUNTS_HERE ? NET_RAW_BIT : 0n)
  })
}

/** A small rootfs with a second user, and cat(1) twice, once with a capability. */
async function withCapablePrograms(folder: string): Promise<Buffer> {
  const rootfs = gunzipSync(await readFile(await runnableRootfs(folder)))
  const data = await readFile('/bin/cat')
  const program = (name: string) =>
    tarMember({data, mode: 0o755, name: `./usr/local/bin/${name}`, uid: 0, gid: 0})
  const accounts = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n'
  const more = tarArchive(
    tarMember({data: accounts, mode: 0o644, name: './etc/passwd', uid: 0, gid: 0}),
    program('plain'),
    paxHeader([['SCHILY.xattr.security.capability', NET_RAW]]),
    program('capable'),
  )
  return Buffer.concat([rootfs.subarray(0, endOf(rootfs)), more])
}

/** Where the zeros begin that end an archive, which are whole blocks. */
function endOf(archive: Buffer): number {
  let end = archive.length
  while (archive.subarray(end - 512, end).every((byte) => byte === 0)) end -= 512
  return end
}
