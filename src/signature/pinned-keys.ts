/** Kinds of listings, each with its own keys: a key for images is not valid for a repository. */
export type ListingKind =
  | 'ubuntu-base'
  | 'ubuntu-cloud'
  | 'ubuntu-streams'
  | 'ubuntu-archive'
  | 'debian-archive'
  | 'debian-security'
  | 'debian-archive-moved'
  | 'debian-security-moved'
  | 'lxc'

type Pins = {
  /** In templates/keys/; other keys in the file are not trusted. */
  readonly file: string
  /** Of primary keys: their certified subkeys are valid too. */
  readonly fingerprints: readonly string[]
}

/** templates/keys/README.md gives the origin of the files. */
export const PINNED: Readonly<Record<ListingKind, Pins>> = {
  'ubuntu-base': {
    file: 'ubuntu-archive-keyring.gpg',
    // Ubuntu CD Image Automatic Signing Key (2012)
    fingerprints: ['843938DF228D22F7B3742BC0D94AA3F0EFE21092'],
  },
  // SHA256SUMS of the folders of cloud-images.ubuntu.com.
  'ubuntu-cloud': {
    file: 'ubuntu-cloudimage-keyring.gpg',
    // UEC Image Automatic Signing Key
    fingerprints: ['D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81'],
  },
  // The simplestreams of the same server.
  'ubuntu-streams': {
    file: 'ubuntu-cloudimage-keyring.gpg',
    // Ubuntu Cloud Image Builder
    fingerprints: ['4A3CE3CD565D7EB5C810E2B97FF3F408476CF100'],
  },
  'ubuntu-archive': {
    file: 'ubuntu-archive-keyring.gpg',
    fingerprints: [
      // Ubuntu Archive Automatic Signing Key (2012)
      '790BC7277767219C42C86F933B4FE6ACC0B21F32',
      // Ubuntu Archive Automatic Signing Key (2018)
      'F6ECB3762474EDA9D21B7022871920D1991BC93C',
    ],
  },
  'debian-archive': {
    file: 'debian-archive-keyring.pgp',
    fingerprints: [
      // Archive and release keys of bullseye
      '1F89983E0081FDE018F3CC9673A4F27B8DD47936',
      'A4285295FC7B1A81600062A9605C66F00D6C9793',
      // of bookworm
      'B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8',
      '4D64FEC119C2029067D6E791F8D2585B8783D481',
      // of trixie
      '04B54C3CDCA79751B16BC6B5225629DF75B188BD',
      '41587F7DB8C774BCCF131416762F67A0B2C39DE4',
    ],
  },
  // The security pocket is a separate repository with its own keys.
  'debian-security': {
    file: 'debian-archive-keyring.pgp',
    fingerprints: [
      // of bullseye, bookworm and trixie
      'AC530D520F2F3269F5E98313A48449044AAD5C5D',
      '05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0',
      '5E04A1E3223A19A20706E20F9904613D4CCE68C6',
    ],
  },
  // Releases on archive.debian.org, with keys that Debian has withdrawn for others.
  'debian-archive-moved': {
    file: 'debian-archive-removed-keys.pgp',
    fingerprints: [
      // Archive keys of jessie, stretch and buster
      '126C0D24BD8A2942CC7DF8AC7638D0442B90D010',
      'E1CF20DDFFE4B89E802658F1E0B11894F66AEC98',
      '80D15823B7FD1561F9F7BCDDDC30D7C23CBBABEE',
      // Their release keys
      '75DDC3C4A499F1A18CB5F3C8CBF8D6FD518E17E1',
      '067E3C456BAE240ACEE88F6FEF0F382A1A7B6500',
      '6D33866EDD8FFA41C0143AEDDCC9EFBF77E11517',
    ],
  },
  'debian-security-moved': {
    file: 'debian-archive-removed-keys.pgp',
    fingerprints: [
      // of jessie, stretch and buster
      'D21169141CECD440F2EB8DDA9D6D8F6BC857C906',
      '6ED6F5CB5FA6FB2F460AE88EEDA0D2388AE22BA9',
      '5E61B217265DA9807A23C5FF4DFAB270CAA96DFA',
    ],
  },
  lxc: {
    file: 'lxc-images.asc',
    // LXC pre-built images
    fingerprints: ['E7FB0CAEC8173D669066514CBAEFF88C22F6E216'],
  },
}
