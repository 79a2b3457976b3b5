import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentNameFor, parseImageReference} from '../../../src/images/reference.js'
import {fileScope} from '../../support/file-scope.js'
import {put} from '../../support/image-layers.js'
import {tarArchive} from '../../support/tar-archive.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const DIGEST = `sha256:${'a'.repeat(64)}`
const workingFolder = await temporaryFolder(fileScope())
const around = {workingFolder, architecture: 'amd64', now: new Date('2026-11-29T00:00:00Z')} as const
await mkdir(join(workingFolder, 'layout'))
await writeFile(join(workingFolder, 'layout/oci-layout'), '{}')
await writeFile(
  join(workingFolder, 'saved.tar'),
  tarArchive(put('manifest.json', '[]'), put(`${'b'.repeat(64)}.json`, '{}')),
)
// A root file system may have a file of this name too.
await writeFile(
  join(workingFolder, 'rootfs.tar'),
  tarArchive(put('etc/hosts', ''), put('manifest.json', '[]')),
)

const hub = (repository: string, tag?: string, digest?: string) => ({
  kind: 'registry',
  reference: {host: 'docker.io', repository, tag, digest},
})
const at = (kind: string, path: string, tag?: string) => ({kind, path: join(workingFolder, path), tag})

for (const [text, location, name] of [
  ['docker://debian:12', hub('library/debian', '12'), 'debian-12'],
  ['docker://debian:latest', hub('library/debian', 'latest'), 'debian'],
  ['docker.io/library/ubuntu', hub('library/ubuntu'), 'ubuntu'],
  ['oci:grafana/grafana:11', hub('grafana/grafana', '11'), 'grafana-11'],
  [
    `quay.io/a/b@${DIGEST}`,
    {kind: 'registry', reference: {host: 'quay.io', repository: 'a/b', tag: undefined, digest: DIGEST}},
    'b',
  ],
  [
    'localhost:5000/team/app:1.2',
    {
      kind: 'registry',
      reference: {host: 'localhost:5000', repository: 'team/app', tag: '1.2', digest: undefined},
    },
    'app-1.2',
  ],
  [
    '127.0.0.1:5000/app',
    {
      kind: 'registry',
      reference: {host: '127.0.0.1:5000', repository: 'app', tag: undefined, digest: undefined},
    },
    'app',
  ],
  ['oci:./layout', at('folder', 'layout'), 'layout'],
  ['oci:./layout:team/app:1', at('folder', 'layout', 'team/app:1'), 'layout-app-1'],
  ['./layout', at('folder', 'layout'), 'layout'],
  ['oci-archive:saved.tar:1', at('archive', 'saved.tar', '1'), 'saved-1'],
  ['docker-archive:./saved.tar', at('archive', 'saved.tar'), 'saved'],
  ['./saved.tar', at('archive', 'saved.tar'), 'saved'],
] as const) {
  test(`${text} is an image of containers`, async () => {
    const reference = await parseImageReference(text, around)
    assert.deepEqual(reference, {kind: 'container', location, architecture: 'amd64'})
    assert.equal(environmentNameFor(reference), name)
  })
}

for (const [text, kind] of [
  ['debian', 'name'],
  ['ubuntu:20.04', 'name'],
  ['debian:12/archive', 'name'],
  ['ubuntu:focal/cloud', 'name'],
  ['20.04/archive', 'name'],
  ['lxc:alpine/3.22', 'name'],
  ['./rootfs.tar', 'file'],
  ['./ghcr.io/owner/tool', 'file'],
  ['images/rootfs.tar.gz', 'file'],
  ['example.org/rootfs.tar.gz', 'file'],
] as const) {
  test(`${text} is no image of containers`, async () => {
    assert.equal((await parseImageReference(text, around)).kind, kind)
  })
}

for (const [text, code] of [
  ['docker://Debian', 'ENVS_BAD_REFERENCE'],
  ['ghcr.io/owner/tool:', 'ENVS_BAD_REFERENCE'],
  ['ghcr.io/owner/tool@sha256:12', 'ENVS_BAD_REFERENCE'],
  ['docker-archive:', 'ENVS_USAGE'],
] as const) {
  test(`${text} is refused`, async () => {
    await assert.rejects(parseImageReference(text, around), {code})
  })
}
