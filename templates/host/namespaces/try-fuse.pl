#!/usr/bin/perl
# Mounts a FUSE file system that nobody answers for, as a trial, and ends. Started as root of a user namespace.
#
# usage: try-fuse.pl NUMBERS AT
#   NUMBERS  system call numbers of unshare and mount on this processor, separated by a comma
#   AT       a folder
#
# Plain Perl without modules, as session.pl. See fuse(4), mount_namespaces(7).
use v5.12;
use warnings;

my ($O_RDWR, $CLONE_NEWNS, $FLAGS) = (2, 0x00020000, 2 | 4 | 8);

my ($numbers, $at) = @ARGV;
my ($nr_unshare, $nr_mount) = map { $_ + 0 } split /,/, $numbers;
syscall($nr_unshare, $CLONE_NEWNS) == 0 or fail('a new mount namespace');
# Opened here: the kernel compares the user namespace with that of the mount.
sysopen(my $fuse, '/dev/fuse', $O_RDWR) or fail('/dev/fuse');
my ($source, $type) = ('envs', 'fuse.envs');
my $options = 'fd=' . fileno($fuse) . ',rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions';
syscall($nr_mount, $source, "$at", $type, $FLAGS, $options) == 0 or fail($at);

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}
