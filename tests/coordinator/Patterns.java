import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Base64;

/** Kafka's regular expressions: lines of a pattern and texts in base64; which it matches (1 or 0), or "invalid". */
public class Patterns {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", -1);
            StringBuilder answer = new StringBuilder();
            try {
                Pattern pattern = Pattern.compile(text(words[0]));
                for (int i = 1; i < words.length; i++)
                    answer.append(pattern.matcher(text(words[i])).matches() ? '1' : '0');
            } catch (PatternSyntaxException error) {
                answer.append("invalid");
            }
            System.out.println(answer);
        }
    }

    static String text(String word) throws Exception {
        return new String(Base64.getDecoder().decode(word), "UTF-8");
    }
}
