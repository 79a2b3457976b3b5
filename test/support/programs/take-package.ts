/** Takes the package of its arguments for a run of its own, and says how: a folder of packages, a digest and a size in bytes. */
import {join} from 'node:path'
import {openFetchFolder, takeShared} from '../../../src/apt/fetch-folder.js'
import {isSha256} from '../../../src/host/digest.js'
import {sharedPackages} from '../../../src/host/paths.js'

const [packages = '', sha256 = '', size = ''] = process.argv.slice(2)
if (!isSha256(sha256)) throw new Error(`no digest: ${sha256}`)
const folder = await openFetchFolder({packages})
const target = join(folder.path, sha256)
console.log(takeShared(join(sharedPackages({packages}), sha256), target, {sizeBytes: Number(size), sha256}))
