#!/usr/bin/perl
# Starts a decoder of an archive, then becomes the program that reads its output: both start at the same time.
#
# usage: decode.pl DECODER ARGUMENT... -- PROGRAM ARGUMENT... Standard input: the archive, a regular file at its
# beginning.
#
# PROGRAM gets the decoded bytes on standard input, a pipe, and two more arguments: the number of a descriptor with
# one line at the decoder's end, its wait status, and the number of a descriptor of the archive.
#
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

# fcntl(2). Writing many small files takes longer than decoding 64 KiB, and a full pipe would block the decoder; a
# megabyte is the default limit of /proc/sys/fs/pipe-max-size for every user.
my ($F_SETPIPE_SZ, $PIPE_BYTES) = (1031, 1 << 20);

$^F = 255;    # descriptors are handed on by number

my @decoder;
while (defined(my $word = shift @ARGV)) { last if $word eq '--'; push @decoder, $word }

open(my $archive, '<&', \*STDIN) or die "envs: standard input: $!\n";
pipe(my $decoded, my $decoder_out)  or die "envs: pipe: $!\n";
pipe(my $status, my $status_out)    or die "envs: pipe: $!\n";
fcntl $decoder_out, $F_SETPIPE_SZ, $PIPE_BYTES;

# A process in between waits for the decoder, so that PROGRAM does not get an unknown child.
defined(my $waiter = fork) or die "envs: fork: $!\n";
wait_for_decoder() if $waiter == 0;

close $decoder_out;
close $status_out;
open(STDIN, '<&', $decoded) or die "envs: standard input: $!\n";
close $decoded;
exec { $ARGV[0] } @ARGV, fileno $status, fileno $archive or die "envs: $ARGV[0]: $!\n";

sub wait_for_decoder {
  close $status;
  close $decoded;
  my $decoder = fork;
  decode() if defined $decoder && $decoder == 0;
  close $decoder_out;
  # Otherwise readers of PROGRAM's output would wait for this process too.
  for (\*STDOUT, \*STDERR) { open($_, '>', '/dev/null') }
  exit 1 unless defined $decoder;
  waitpid $decoder, 0;
  syswrite $status_out, "$?\n";
  exit 0;
}

sub decode {
  close $status_out;
  close $archive;
  open(STDOUT, '>&', $decoder_out) or exit 1;
  close $decoder_out;
  open(STDERR, '>', '/dev/null');
  no warnings 'exec';    # its status tells
  exec { $decoder[0] } @decoder or exit 127;
}
