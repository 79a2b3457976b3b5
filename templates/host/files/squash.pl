# Makes one overlayfs layer that replaces several: squash.pl FSETXATTR STATX UTIMENSAT NEW UPPERMOST... LOWEST
#
# The numbers are those of the system calls on this processor; those of lsetxattr, lgetxattr and llistxattr are next to
# fsetxattr on all processors. No process may use the layers: files are shared by link(2), folders are created. NEW must not
# exist. Exits with 28 on a full disk, with 1 on other errors.
use v5.12;
use warnings;

my ($fsetxattr, $statx, $utimensat, $new, @layers) = @ARGV;
my ($lsetxattr, $lgetxattr, $llistxattr) = ($fsetxattr - 1, $fsetxattr + 2, $fsetxattr + 5);

# linux/fcntl.h, linux/stat.h, linux/limits.h
use constant {AT_FDCWD => -100, AT_SYMLINK_NOFOLLOW => 0x100, STATX_BASIC_STATS => 0x7ff, XATTR_MAX => 65536};
# asm-generic/errno.h
use constant {EDQUOT => 122, ENODATA => 61, ENOSPC => 28, EOPNOTSUPP => 95};
use constant OPAQUE => 'user.overlay.opaque';

umask 077;
$| = 1;
merge($new, 0, @layers);

sub fail {
  my ($what, $path) = @_;
  my $errno = $! + 0;
  print STDERR "$what $path: $!\n";
  exit($errno == ENOSPC || $errno == EDQUOT ? 28 : 1);
}

# Merges folders that are on top of each other, the uppermost first; $hides: nothing below the lowest is visible.
sub merge {
  my ($to, $hides, @folders) = @_;
  mkdir $to or fail('mkdir', $to);
  my (%seen, @names);
  for my $folder (@folders) {
    opendir my $handle, $folder or fail('opendir', $folder);
    push @names, grep {$_ ne '.' && $_ ne '..' && !$seen{$_}++} readdir $handle;
    closedir $handle;
  }
  place($to, $_, @folders) for @names;
  attributes($folders[0], $to, $hides);
}

# Puts the visible entry of a name into the new layer.
sub place {
  my ($to, $name, @folders) = @_;
  my @there = grep {lstat $_} map {"$_/$name"} @folders;
  lstat $there[0];
  if (!-d _) {
    link $there[0], "$to/$name" or fail('link', $there[0]);
    return;
  }
  my ($hides, @merged) = (0);
  for my $path (@there) {
    lstat $path;
    # Another kind of entry, or a whiteout, was here before: it hides the layers below.
    if (!-d _) {$hides = 1; last}
    push @merged, $path;
    if (opaque($path)) {$hides = 1; last}
  }
  merge("$to/$name", $hides, @merged);
}

sub opaque {
  my ($path) = @_;
  my $value = attribute($path, OPAQUE);
  return defined $value && $value eq 'y';
}

sub attribute {
  my ($path, $name) = @_;
  my $value = "\0" x XATTR_MAX;
  my $length = syscall $lgetxattr, "$path\0", "$name\0", $value, XATTR_MAX;
  return substr $value, 0, $length if $length >= 0;
  fail('lgetxattr', $path) unless $! == ENODATA || $! == EOPNOTSUPP;
  return undef;
}

sub set_attribute {
  my ($path, $name, $value) = @_;
  syscall($lsetxattr, "$path\0", "$name\0", $value, length $value, 0) == 0 and return;
  # A user can't set the host's own labels; a new file has one already.
  fail('lsetxattr', $path) unless $name =~ /^security\./;
}

# Copies owner, modes, attributes and times of a folder to another one.
sub attributes {
  my ($from, $to, $hides) = @_;
  my (undef, undef, $mode, undef, $uid, $gid) = lstat $from or fail('lstat', $from);
  chown $uid, $gid, $to or fail('chown', $to);
  my $names = "\0" x XATTR_MAX;
  my $length = syscall $llistxattr, "$from\0", $names, XATTR_MAX;
  fail('llistxattr', $from) if $length < 0 && $! != EOPNOTSUPP;
  for my $name (split /\0/, substr $names, 0, $length > 0 ? $length : 0) {
    my $value = attribute($from, $name);
    set_attribute($to, $name, $value) if defined $value;
  }
  set_attribute($to, OPAQUE, 'y') if $hides;
  chmod $mode & 07777, $to or fail('chmod', $to);
  my $status = "\0" x 256;
  syscall($statx, AT_FDCWD, "$from\0", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, $status) == 0 or fail('statx', $from);
  # struct statx: stx_atime at 64, stx_mtime at 112.
  my $times = pack 'l!4', unpack('q L', substr $status, 64, 12), unpack('q L', substr $status, 112, 12);
  syscall($utimensat, AT_FDCWD, "$to\0", $times, AT_SYMLINK_NOFOLLOW) == 0 or fail('utimensat', $to);
}
