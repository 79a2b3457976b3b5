import assert from 'node:assert/strict'
import {test} from 'node:test'
import {NODE_PROGRAM} from '../../support/cli.js'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {engineCases} from '../../support/engine-cases.js'
import {type Guest, sharedGuest} from '../../support/guest.js'
import {stopped} from '../../support/running-session.js'

/** Latin-1, UTF-8, a start without its end, a percent sign: for bash, and in hexadecimal. */
const BYTES = `$'\\xe9\\xc3\\xa9\\xf0\\x9f%e9'`
const AS_HEX = 'e9c3a9f09f256539'

/** Prints what a script of the host prints, in hexadecimal. */
async function hex({onHost}: Guest, script: string): Promise<readonly [stdout: string, stderr: string]> {
  const {stdout, stderr} = await onHost(`{ ${script}; } | od -An -v -tx1 | tr -d ' \\n'`)
  return [stdout, stderr]
}

const play = sharedGuest('emulated')

const IN_A_FOLDER = (script: string) => `mkdir ${BYTES}; { ${script}; }; rm -r ${BYTES}`

for (const [where, script] of [
  ['when the environment is down', `envs run play printf %s ${BYTES}`],
  ['with a flag', `envs run --user games play -- printf %s ${BYTES}`],
  ['in a variable', `envs run -e A=${BYTES} play -- sh -c 'printf %s "$A"'`],
  ['in a variable of the host', `A=${BYTES} envs run -e A play -- sh -c 'printf %s "$A"'`],
  ['in a variable that is passed on', `TZ=${BYTES} envs run play -- sh -c 'printf %s "$TZ"'`],
  [
    'in a working folder',
    `envs run play mkdir /opt/${BYTES}; envs run -w /opt/${BYTES} play sh -c 'printf %s "\${PWD#/opt/}"'`,
  ],
  [
    'in a shared folder',
    IN_A_FOLDER(`printf %s ${BYTES} >${BYTES}/file; envs run -v ./${BYTES}:/mnt play cat /mnt/file`),
  ],
  [
    'in the folder of the caller',
    IN_A_FOLDER(
      `(cd ${BYTES} && envs run -v .:/mnt play touch /mnt/x); printf %s ${BYTES}; test -e ${BYTES}/x`,
    ),
  ],
  ['by Node', `'${process.execPath}' '${NODE_PROGRAM}' run play printf %s ${BYTES}`],
] as const) {
  test(`bytes that are not UTF-8 reach the guest to the letter ${where}`, async () => {
    assert.deepEqual(await hex(await stopped(play), script), [AS_HEX, ''])
  })
}

test('bytes that are not UTF-8 reach a new environment to the letter', async () => {
  const script = `envs try -q ${await debianRootfs()} -- printf %s ${BYTES}`
  assert.deepEqual(await hex(await play(), script), [AS_HEX, ''])
})

for (const {title, engine, skip, play: playBy} of engineCases()) {
  if (engine !== 'proot') continue
  test(`${title}: bytes that are not UTF-8 reach the guest to the letter`, {skip}, async () => {
    const script = `envs run -e A=${BYTES} play -- sh -c 'printf %s "$A" "$@"' sh ${BYTES}`
    assert.deepEqual(await hex(await playBy(), script), [`${AS_HEX}${AS_HEX}`, ''])
  })
}

test('a message shows bytes that are not UTF-8 as they were typed', async () => {
  const {stdout, stderr} = await (await play()).onHost(`envs run play $'caf\\xe9'; echo $?`)
  assert.deepEqual([stdout, stderr], ['127\n', 'envs: The command "caf\\xe9" was not found in "play".\n'])
})

for (const line of [`create ./$'caf\\xe9.tar'`, `export play -o $'caf\\xe9.tar'`, `try ./$'caf\\xe9.tar'`]) {
  test(`a path that is not UTF-8 is refused, and no other is taken: ${line}`, async () => {
    const {stdout, stderr} = await (await play()).onHost(`envs ${line}; echo $?; ls`)
    assert.match(
      stderr,
      /^envs: "(?:\.\/)?caf\\xe9\.tar" is not UTF-8, which envs needs for names of files on the host\.\n {2}Rename the file, /,
    )
    assert.match(stdout, /^(?:2|125)\n/)
    assert.doesNotMatch(stdout, /caf/)
  })
}

test('a store below a path that is not UTF-8 is refused, and none is made elsewhere', async () => {
  const script = `mkdir $'\\xe9'; HOME=$PWD/$'\\xe9' XDG_DATA_HOME= envs list; echo $?; rmdir $'\\xe9'; ls`
  const {stdout, stderr} = await (await play()).onHost(script)
  assert.match(
    stderr,
    /^envs: "\/.*\/\\xe9\/\.local\/share\/envs" is not UTF-8, which envs needs for names of files on the host\.\n {2}Set ENVS_HOME /,
  )
  assert.match(stdout, /^2\n[\w\n]+$/)
})
