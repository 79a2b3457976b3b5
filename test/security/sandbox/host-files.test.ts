import assert from 'node:assert/strict'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: the host's home and /tmp are not there`, {skip}, async (t) => {
    const secret = await mkdtemp(join(tmpdir(), 'envs-secret-'))
    t.after(() => rm(secret, {recursive: true, force: true}))
    await writeFile(join(secret, 'file'), 'secret')
    const {cli, run} = await play()
    const ran = await run('ls', '-d', secret, cli.home, cli.data)
    assert.equal(ran.stdout, '')
    assert.equal(ran.stderr.match(/No such file or directory/g)?.length, 3)
  })

  test(`${identity}: no process inside has the host's root or a folder of it`, {skip}, async () => {
    const {cli, sh} = await play()
    const ran = await sh(
      'ls -di / /proc/[0-9]*/root/. /proc/[0-9]*/cwd/../../../.. | cut -d" " -f1 | sort -u | wc -l',
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['1\n', ''], cli.home)
  })

  test(`${identity}: no process of the host is in the guest's /proc`, {skip}, async () => {
    const {sh} = await play()
    const ran = await sh('cat /proc/[0-9]*/comm')
    const names = ran.stdout.trim().split('\n')
    assert.equal(names[0], 'sh')
    assert.deepEqual(
      names.filter((name) => !['cat', 'sh', 'sleep'].includes(name)),
      [],
    )
  })

  test(`${identity}: what is above our folders can't be reached through them`, {skip}, async () => {
    const {sh} = await play()
    const ran = await sh('cd /run/envs; ls -A; test .. -ef /run && test packages/.. -ef . && echo same')
    assert.equal(
      ran.stdout,
      'notes.bash\npackages\nresolv.conf\nrestore-point\nrestore-point-answers\nsame\n',
    )
  })

  test(`${identity}: the state files are in no folder of the guest`, {skip}, async () => {
    const {sh} = await play()
    const ran = await sh(
      'find / -xdev \\( -name anchor.json -o -name anchor.lock -o -name bwrap-info.json \\)',
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['', ''])
  })

  test(`${identity}: the kernel's settings can't be changed`, {skip}, async () => {
    const {sh} = await play()
    // Only asked, never tried: where it works, it is the host's own setting.
    const ran = await sh(
      'for file in kernel/core_pattern vm/drop_caches; do test -w /proc/sys/$file && echo $file; done; echo asked',
    )
    assert.equal(ran.stdout, 'asked\n')
  })
}
