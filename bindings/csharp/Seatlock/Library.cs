using System;

namespace Seatlock
{
    /// <summary>The library that was found. Every member may be used on any thread.</summary>
    public static class Library
    {
        /// <summary>Its version, such as "0.1.0".</summary>
        public static string Version { get { return Convert.Text(Native.seatlock_version()); } }

        /// <summary>Name of a code, such as "seat_limit_reached", for logs.</summary>
        public static string Name(Code code)
        {
            return Convert.Text(Native.seatlock_code_name(code));
        }

        /// <summary>What to tell a user of a code, with blanks such as {date} not filled; events
        /// carry the filled text.</summary>
        public static string Message(Code code)
        {
            return Convert.Text(Native.seatlock_code_text(code));
        }

        /// <summary>What a user can do about a code.</summary>
        public static string Remedy(Code code)
        {
            return Convert.Text(Native.seatlock_code_remedy(code));
        }

        /// <summary>Address of the page that explains a code.</summary>
        public static string Url(Code code)
        {
            return Convert.Text(Native.seatlock_code_url(code));
        }

        /// <summary>Every code of the library, for tables of them.</summary>
        public static Code[] Codes()
        {
            Code[] codes = new Code[Native.seatlock_code_count()];
            for (uint index = 0; index < codes.Length; index++)
                if (Native.seatlock_code_at(index, out codes[index]) != Code.Ok)
                    Array.Resize(ref codes, (int)index);
            return codes;
        }

        /// <summary>This computer's machine id for a product, or for the family that it belongs
        /// to.</summary>
        /// <param name="product">The product or the family.</param>
        /// <param name="supplied">Used in place of the operating system's identifier; null for
        /// that.</param>
        /// <exception cref="SeatlockException">The computer has none, or an argument is not
        /// valid.</exception>
        public static string MachineId(string product, string supplied = null)
        {
            Check();
            byte[] name = Convert.Bytes(product), given = Convert.Bytes(supplied);
            using (Detail detail = new Detail())
            {
                string id;
                detail.Check(Convert.Read(
                    (byte[] buffer, UIntPtr capacity, out UIntPtr needed) =>
                        Native.seatlock_machine_id(name, given, buffer, capacity, out needed,
                            ref detail.Raw),
                    out id));
                return id;
            }
        }

        /// <summary>Whether there is one, of an interface that this knows.</summary>
        internal static bool Found { get { return Trouble() == null; } }

        internal static void Check()
        {
            SeatlockException trouble = Trouble();
            if (trouble != null)
                throw trouble;
        }

        private static SeatlockException Trouble()
        {
            try
            {
                uint found = Native.seatlock_abi_version();
                if (found == Native.AbiVersion)
                    return null;
                return new SeatlockException(Code.Internal, "The license library that was found has"
                    + " interface " + found + ", and " + Native.AbiVersion
                    + " is needed. Install the plug-in again.", null);
            }
            catch (DllNotFoundException error)
            {
                return new SeatlockException(Code.Internal, "The license library \""
                    + Native.Library + "\" was not found. Install the plug-in again.", error);
            }
            catch (EntryPointNotFoundException error)
            {
                return new SeatlockException(Code.Internal, "The file \"" + Native.Library
                    + "\" is not the license library. Install the plug-in again.", error);
            }
            catch (BadImageFormatException error)
            {
                return new SeatlockException(Code.Internal, "The license library \""
                    + Native.Library + "\" is damaged, or made for other processors."
                    + " Install the plug-in again.", error);
            }
        }
    }
}
