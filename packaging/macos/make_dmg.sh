#!/usr/bin/env bash
# A disk image of LungScan.app. UNTESTED: written without macOS at hand. Not signed: whoever gives it to
# others signs the app with `codesign --deep --options runtime` and has it notarized first.
#
#   packaging/macos/make_dmg.sh dist/LungScan.app dist
set -euo pipefail

app=$1
out=$2
version=$("$app/Contents/MacOS/lungscan" --version | awk '{print $2}')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$app" "$work/"
ln -s /Applications "$work/Applications"
hdiutil create -volname "LungScan $version" -srcfolder "$work" -ov -format UDZO \
  "$out/LungScan-$version.dmg"
