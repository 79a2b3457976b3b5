#!/usr/bin/perl
# Gives the files of trees the ids of another range: shift-owners.pl FCHOWNAT FSETXATTR DISTANCE all|folders TREE...
#
# The numbers are those of the system calls on this processor. Runs as root of a user namespace that maps the former range at
# DISTANCE above the ids of the present one: an id above DISTANCE becomes the id without it. No process may use the trees. A second
# run continues an interrupted one. Symlinks are not followed. Exits with 1, and names the file, on any error.
use v5.12;
use warnings;

my ($fchownat, $fsetxattr, $distance, $which, @trees) = @ARGV;
my ($lsetxattr, $lgetxattr) = ($fsetxattr - 1, $fsetxattr + 2);

# linux/fcntl.h, linux/limits.h
use constant {AT_FDCWD => -100, AT_SYMLINK_NOFOLLOW => 0x100, XATTR_MAX => 65536};
# Not a constant: syscall refuses text that it could not change.
my $CAPABILITY = "security.capability\0";

for my $tree (@trees) {
  chdir $tree or fail('chdir', $tree);
  shift_entry('.');
  shift_folder();
}

sub fail {
  my ($what, $path) = @_;
  print STDERR "$what $path: $!\n";
  exit 1;
}

# Works in the current folder, because a path through all folders may be too long for a system call.
sub shift_folder {
  opendir my $folder, '.' or fail('opendir', '.');
  my @names = grep { $_ ne '.' && $_ ne '..' } readdir $folder;
  closedir $folder;
  for my $name (@names) {
    shift_entry($name);
    next unless !-l $name && -d _;
    chdir $name or fail('chdir', $name);
    shift_folder();
    chdir '..' or fail('chdir', '..');
  }
}

sub shift_entry {
  my ($name) = @_;
  my ($mode, $uid, $gid) = (lstat $name)[2, 4, 5];
  defined $mode or fail('lstat', $name);
  my $is_link = -l _;
  return if $which eq 'folders' && !-d _;
  my ($new_uid, $new_gid) = map { $_ > $distance ? $_ - $distance : $_ } $uid, $gid;
  return if $new_uid == $uid && $new_gid == $gid;
  my $capability = $is_link ? undef : capability_of($name);
  syscall($fchownat, AT_FDCWD, "$name\0", $new_uid, $new_gid, AT_SYMLINK_NOFOLLOW) == 0 or fail('fchownat', $name);
  return if $is_link;
  # chown(2) removes setuid, setgid and capabilities.
  chmod $mode & 07777, $name or fail('chmod', $name);
  return unless defined $capability;
  syscall($lsetxattr, "$name\0", $CAPABILITY, $capability, length $capability, 0) == 0 or fail('lsetxattr', $name);
}

sub capability_of {
  my ($name) = @_;
  my $value = "\0" x XATTR_MAX;
  my $length = syscall $lgetxattr, "$name\0", $CAPABILITY, $value, XATTR_MAX;
  return $length < 0 ? undef : substr $value, 0, $length;
}
