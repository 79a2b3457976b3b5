import {sha256Of} from '../host/digest.js'
import {NO_MARKS} from './diff/layer-marks.js'
import {openMergedTree} from './diff/merged.js'

/** Asked by invoke-rc.d(8) and deb-systemd-invoke(1p) whether a package may start its service. */
export const POLICY_PROGRAM = 'usr/sbin/policy-rc.d'

/**
 * SHA-256 of each policy-rc.d that a version of envs wrote, the present one first. A file with another digest is a person's own:
 * envs does not replace it.
 */
export const POLICY_DIGESTS: readonly string[] = [
  'e32ee9521e158096bd48d361a806c86ef67804a2b11443ea6106a2929dd4073c',
  '862d1b588e9df5f43327e1393e549baf9a14b4ddbd87d82e9a84a11d0b1adff9',
  'e9518c0845ec807bacd293ce247f689f9f5342914d09be6b18e75e6e5b0c3775',
  'b38118c13347cc054779cbf37575da4332422f13b76d711d78f3f1d36468a476',
]

/**
 * The policy-rc.d of a tree:
 * - `current`: that of this version of envs.
 * - `former`: that of an earlier one.
 * - `own`: a person removed or changed it.
 * - `unused`: no dpkg asks it.
 */
export type ServicePolicy = 'current' | 'former' | 'own' | 'unused'

/** Many times any of ours. */
const MOST_BYTES = 64 * 1024
const EXECUTABLE = 0o111

/**
 * Reads which policy-rc.d a tree has, which may be in use. Follows no link.
 *
 * @param folders - The folders of the tree's layers, the uppermost first.
 */
export function readServicePolicy(folders: readonly string[]): ServicePolicy {
  const tree = openMergedTree(
    folders.map((folder) => ({folder, marks: NO_MARKS})),
    [...folders.keys()],
  )
  if (tree.inFolder('var/lib/dpkg', () => true) === undefined) return 'unused'
  const cut = POLICY_PROGRAM.lastIndexOf('/')
  const program = tree.inFolder(POLICY_PROGRAM.slice(0, cut), (folder) => {
    const name = POLICY_PROGRAM.slice(cut + 1)
    return {mode: folder.mode(name) ?? 0, text: folder.read(name, {maxBytes: MOST_BYTES})}
  })
  // Without this permission nothing asks it.
  if (program?.text === undefined || (program.mode & EXECUTABLE) !== EXECUTABLE) return 'own'
  const place = POLICY_DIGESTS.indexOf(sha256Of(program.text))
  return place === -1 ? 'own' : place === 0 ? 'current' : 'former'
}
