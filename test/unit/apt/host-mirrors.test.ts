import assert from 'node:assert/strict'
import {test} from 'node:test'
import {oneLineSources} from '../../../src/apt/format/sources.js'
import {chooseMirrors} from '../../../src/apt/mirrors.js'

const NONE = {main: undefined, security: undefined}

for (const [what, distribution, lines, expected] of [
  [
    'the archive and the one for security',
    'debian',
    `deb http://near.example.org/debian/ trixie main
deb http://near.example.org/debian trixie-updates main
deb http://near.example.org/debian-security trixie-security main`,
    {main: 'http://near.example.org/debian', security: 'http://near.example.org/debian-security'},
  ],
  [
    'security first, in its old form',
    'debian',
    `deb http://security.debian.org/debian-security buster/updates main
deb http://near.example.org/debian buster main`,
    {main: 'http://near.example.org/debian', security: 'http://security.debian.org/debian-security'},
  ],
  [
    "Ubuntu's, whose security has a server of its own",
    'ubuntu',
    `deb http://security.ubuntu.com/ubuntu noble-security main
deb http://de.archive.ubuntu.com/ubuntu noble main restricted`,
    {main: 'http://de.archive.ubuntu.com/ubuntu', security: 'http://security.ubuntu.com/ubuntu'},
  ],
  [
    'ports',
    'ubuntu',
    'deb http://ports.ubuntu.com/ubuntu-ports noble main',
    {main: 'http://ports.ubuntu.com/ubuntu-ports', security: undefined},
  ],
  [
    "a path of the administrator's own, by its keys",
    'debian',
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://files.example.org/os/13 trixie main',
    {main: 'https://files.example.org/os/13', security: undefined},
  ],
  [
    "a vendor's, by its component",
    'debian',
    'deb https://download.example.org/linux/debian trixie stable',
    NONE,
  ],
  [
    "a vendor's, by its keys",
    'debian',
    'deb [signed-by=/etc/apt/keyrings/vendor.asc] https://vendor.example.org/debian trixie main',
    NONE,
  ],
  ["a vendor's, by its folder", 'debian', 'deb https://vendor.example.org/debian/13/prod trixie main', NONE],
  [
    'what is no URL of the web',
    'debian',
    'deb file:/srv/debian trixie main\ndeb mirror+file:/etc/m trixie main',
    NONE,
  ],
  ['of the other distribution', 'debian', 'deb http://archive.ubuntu.com/ubuntu noble main', NONE],
] as const) {
  test(`mirrors of the host: ${what}`, () => {
    assert.deepEqual(chooseMirrors(distribution, oneLineSources.find(lines)), expected)
  })
}
