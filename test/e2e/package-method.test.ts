import assert from 'node:assert/strict'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {makeCertificate} from '../support/certificate.js'
import {type Guest, sharedGuest} from '../support/guest.js'
import {
  damaged,
  half,
  notFound,
  type PackageArchive,
  redirected,
  startPackageArchive,
  useArchive,
} from '../support/package-archive.js'
import {temporaryFolder} from '../support/temporary-folder.js'

const play = sharedGuest('emulated')

const INSTALL = 'DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --reinstall'
/** As another environment would, which has the package neither unpacked nor downloaded. */
const AGAIN = `apt-get clean; ${INSTALL}`
const KEPT = '/run/envs/packages'
/** APT as it is without our program. */
const PLAIN = '-o Dir::Bin::Methods::http=/usr/lib/apt/methods/http'

test('what is fetched from another address than it was asked at is kept', async (t) => {
  const {guest, archive} = await given(t, 'redirected')
  archive.answerWith(redirected)
  assert.equal((await guest.sh(`${INSTALL} redirected`)).status, 0)
  archive.answerWith(notFound)
  assert.equal((await guest.sh(`${AGAIN} redirected`)).status, 0)
})

test('what is fetched over https is kept', async (t) => {
  const certificate = makeCertificate(await temporaryFolder(t))
  if (certificate === undefined) return t.skip('no openssl here')
  const guest = await play()
  const archive = await startPackageArchive(t, ['secret'], {tls: certificate})
  const trust = "echo 'Acquire::https::Verify-Peer false;' >/etc/apt/apt.conf.d/99test"
  const first = await guest.sh(`${trust}; ${useArchive(archive)} && ${INSTALL} secret`)
  assert.equal(first.status, 0, first.stderr)
  archive.answerWith(notFound)
  assert.equal((await guest.sh(`${AGAIN} secret`)).status, 0)
})

test('a package that is taken counts as used just now', async (t) => {
  const {guest} = await given(t, 'aged')
  const script = `${INSTALL} aged; touch -d '3 days ago' ${KEPT}/*; ${AGAIN} aged`
  const ran = await guest.sh(`(${script}) >/dev/null; find ${KEPT} -type f -mtime -1 | wc -l`)
  assert.deepEqual([ran.stdout, ran.stderr], ['1\n', ''])
})

test('packages may be deleted on the host while an environment runs', async (t) => {
  const {guest} = await given(t, 'deleted')
  await guest.sh(`${INSTALL} deleted`)
  await rm(join(guest.cli.home, 'cache/envs/packages'), {recursive: true})
  const ran = await guest.sh(`${AGAIN} deleted`)
  assert.deepEqual([ran.status, ran.stderr], [0, ''])
  await guest.cli.run('stop', '--force', 'play')
  await guest.sh(`${AGAIN} deleted`)
  assert.equal((await guest.sh(`ls ${KEPT} | wc -l`)).stdout, '1\n')
})

test('an environment whose host has no place for packages fetches them itself', async (t) => {
  const {guest, archive} = await given(t, 'homeless')
  await guest.cli.run('stop', '--force', 'play')
  t.after(async () => {
    await guest.cli.run('stop', '--force', 'play')
  })
  const script = `${INSTALL} homeless && ${AGAIN} homeless`
  const ran = await guest.runWith({env: {XDG_CACHE_HOME: '/dev/null'}}, 'sh', '-c', script)
  assert.deepEqual([ran.status, ran.stderr], [0, ''])
  assert.deepEqual(archive.fetched, ['homeless', 'homeless'])
})

for (const lost of ['/usr/bin/perl', '/usr/bin/sha256sum', '/usr/lib/envs/apt-http.pl']) {
  test(`without ${lost} APT fetches by itself`, async (t) => {
    const name = `no-${lost.replace(/.*\/|\..*/g, '')}`
    const {guest, archive} = await given(t, name)
    const ran = await guest.sh(
      `mv ${lost} /lost; apt-get -qq install -y --download-only ${name} && apt-get clean && ` +
        `apt-get -qq install -y --download-only ${name}; status=$?; mv /lost ${lost}; exit $status`,
    )
    assert.deepEqual([ran.status, ran.stderr], [0, ''])
    assert.deepEqual(archive.fetched, [name, name])
  })
}

for (const [what, answer] of [
  ['is not there', notFound],
  ['has other bytes than the index says', damaged],
] as const) {
  test(`a package that ${what} is told of as APT itself does, and is not kept`, async (t) => {
    const {guest, archive} = await given(t, 'broken')
    archive.answerWith(answer)
    const before = (await guest.sh(`ls -A ${KEPT}`)).stdout
    const ours = await guest.sh(`apt-get clean; ${INSTALL} broken`)
    const plain = await guest.sh(`apt-get clean; ${INSTALL} ${PLAIN} broken`)
    assert.match(ours.stderr, /^E: Failed to fetch /)
    assert.deepEqual([ours.status, ours.stderr], [plain.status, plain.stderr])
    assert.equal((await guest.sh(`ls -A ${KEPT}`)).stdout, before)
  })
}

test('an archive that is not there is told of as APT itself does', async (t) => {
  const {guest} = await given(t, 'nobody')
  const script = (option: string) =>
    `echo 'deb [trusted=yes] http://127.0.0.1:9/ ./' >/etc/apt/sources.list; apt-get update -o Acquire::Retries=0 ${option}`
  const [ours, plain] = [await guest.sh(script('')), await guest.sh(script(PLAIN))]
  assert.match(ours.stderr, /^W: Failed to fetch /)
  assert.deepEqual(ours, plain)
})

test('an interrupted apt-get leaves no process and keeps no half package', async (t) => {
  const {guest, archive} = await given(t, 'large')
  archive.answerWith(half)
  // A shell has what it starts in the background ignore interrupts.
  const apt = `perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' apt-get -qq -y --download-only install large`
  const left = 'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -c ^/usr/lib/apt/methods/'
  const begun = 'until [ -s /var/cache/apt/archives/partial/large_1_all.deb ]; do sleep 0.1; done'
  const ran = await guest.sh(
    `rm -f ${KEPT}/*; ${apt} & ${begun}; kill -INT $!; wait $!; echo $?; ls -A ${KEPT}; sleep 0.5; ${left}`,
  )
  assert.deepEqual([ran.stdout, ran.stderr], ['130\n0\n', ''])
})

async function given(t: TestContext, name: string): Promise<{guest: Guest; archive: PackageArchive}> {
  const guest = await play()
  const archive = await startPackageArchive(t, [name])
  const ran = await guest.sh(useArchive(archive))
  assert.equal(ran.status, 0, ran.stderr)
  return {guest, archive}
}
