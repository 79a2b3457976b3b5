# Lists extended attributes of the files of folders: list-layer.pl LGETXATTR LLISTXATTR FOLDER...
#
# The numbers are those of the system calls on this processor; with 0 for LLISTXATTR, attributes of users are not listed. Prints
# three fields for each attribute, each ended by a zero byte: the number of the folder, counted from 0; "opaque", or the value of
# security.capability in hexadecimal, or NAME=VALUE of an attribute of users, the value in hexadecimal; the path below the folder.
# Skips unreadable files. An untrusted process may change the folders meanwhile: no symlink is followed.
use v5.12;
use warnings;

# Each level holds a folder open.
my $most_levels = 256;
my ($number, $listing, @folders) = @ARGV;
$number += 0;
$listing += 0;
# XATTR_SIZE_MAX and XATTR_LIST_MAX, linux/limits.h
my $room = "\0" x ($listing ? 65536 : 64);
my $names = "\0" x 65536;
binmode STDOUT;

for my $index (0 .. $#folders) {
    chdir $folders[$index] or next;
    opendir my $here, '.' or next;
    list($index, $here, '', 0);
    closedir $here;
}
close STDOUT or exit 1;

# The current folder is the open one, before and after.
sub list {
    my ($index, $here, $prefix, $level) = @_;
    for my $name (readdir $here) {
        next if $name eq '.' || $name eq '..';
        my @status = lstat $name or next;
        if (-f _) {
            my $length = attribute($name, 'security.capability');
            record($index, unpack('H*', substr($room, 0, $length)), "$prefix$name") if $length > 0;
            users($index, $prefix, $name) if $listing;
        }
        elsif (-d _) {
            record($index, 'opaque', "$prefix$name")
                if attribute($name, 'user.overlay.opaque') == 1 && substr($room, 0, 1) eq 'y';
            users($index, $prefix, $name) if $listing;
            enter($index, $here, "$prefix$name", $name, $level, @status[0, 1]) if $level < $most_levels;
        }
    }
}

# Of the marks of overlayfs itself, only those that move or empty a file.
sub users {
    my ($index, $prefix, $name) = @_;
    my $path = "$name\0";
    my $length = syscall $listing, $path, $names, length $names;
    return if $length <= 0;
    for my $word (split /\0/, substr $names, 0, $length) {
        next unless $word =~ /^user\.(?!overlay\.(?!redirect|metacopy))/;
        my $size = attribute($name, $word);
        record($index, "$word=" . unpack('H*', substr($room, 0, $size)), "$prefix$name") if $size >= 0;
    }
}

# If a link has replaced the folder meanwhile, chdir leads elsewhere: then nothing there is read.
sub enter {
    my ($index, $parent, $path, $name, $level, $device, $inode) = @_;
    chdir $name or return;
    my @status = lstat '.';
    if (@status && $status[0] == $device && $status[1] == $inode && opendir my $folder, '.') {
        list($index, $folder, "$path/", $level + 1);
        closedir $folder;
    }
    chdir $parent or exit 1;
}

# Of the entry itself, not of a link's target.
sub attribute {
    my ($name, $attribute) = @_;
    my ($path, $word) = ("$name\0", "$attribute\0");
    return syscall $number, $path, $word, $room, length $room;
}

sub record {
    print join("\0", @_), "\0";
}
