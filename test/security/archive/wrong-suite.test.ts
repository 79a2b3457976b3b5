import {test} from 'node:test'
import {givenVictim} from '../../support/refused-archive.js'

for (const [distribution, pocket, served] of [
  ['debian', 'trixie-security', 'debian/dists/trixie'],
  ['debian', 'trixie', 'debian/dists/trixie-updates'],
  // Of one codename, and of one key: only the field Suite tells them apart.
  ['ubuntu', 'noble-security', 'ubuntu/dists/noble'],
  ['ubuntu', 'noble', 'ubuntu/dists/noble-updates'],
] as const) {
  test(`the signed Release of ${served} in place of that of ${pocket} is refused`, async (t) => {
    const {archive, refuses} = await givenVictim(t, distribution)
    const root = pocket === 'trixie-security' ? 'debian-security' : distribution
    archive.files.set(
      `${root}/dists/${pocket}/InRelease`,
      archive.files.get(`${served}/InRelease`) ?? Buffer.alloc(0),
    )
    await refuses('ENVS_RELEASE_WRONG_SUITE', new RegExp(`serves the Release of .* as that of ${pocket}\\.$`))
  })
}
